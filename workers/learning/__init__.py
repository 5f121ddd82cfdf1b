"""What labels teach a model, and which to ask for next: a linear Bradley–Terry head on vectors of responses.

hashed.py    vectors of words, where no embedder is at hand
heads.py     the head and ensembles of it
curves.py    held-out error over the number of labels, the power law through it, and its back-test
advising.py  slices: whether the model errs there or people disagree, and what follows
acquiring.py which pairs to ask for next
"""
