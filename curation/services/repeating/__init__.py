"""Preferences asked of the same person once more, the other way round; nothing but the checks reads the answers.

ahead.py     what a desk knows of them: whether one is due, and how many are left
serving.py   which task is asked again, into hands and onto the screen
keeping.py   its answer, skip and undo
"""
