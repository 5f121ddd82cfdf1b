"""Judges: one file a kind of model, each adding itself to the shelf in `workers/judging.py`."""
