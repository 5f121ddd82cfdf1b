"""Ways of asking a critic, one file each; `shapes.py` holds what they share."""
