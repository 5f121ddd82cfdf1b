"""Curators: one file a method of proposing what becomes of a pair, each adding itself to the shelf in
`workers/curating.py`."""
