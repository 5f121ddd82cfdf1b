"""Trainers: one file a method, each adding itself to the shelf in `workers/training.py`."""
