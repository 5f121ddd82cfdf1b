"""Acceptance experiments of the training methods: one file each, found by name (`python -m experiments`)."""
