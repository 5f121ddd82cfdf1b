"""Aggregators: one file a method of deciding labels, each adding itself to the shelf in `workers/aggregating.py`."""
