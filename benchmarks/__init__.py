"""What Touchstone costs, beside what the same work costs at the least and in Label Studio: `make bench`."""
