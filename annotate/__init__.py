"""The people's side: the annotation screen. It has no tables of its own."""
