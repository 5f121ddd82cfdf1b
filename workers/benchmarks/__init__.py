"""Benchmarks, one file each; what they share is in `workers/benchmarking.py`."""
