"""Recipes of plans: one published method a file, and what their stages do.

`settings.py` what a plan is started with; `pool.py` its pairs; `verifying.py` what people are asked; `labelling.py`
labels to learn from; `measuring.py` how a model does; `sifting.py` the last filter; `judging.py` models that judge.
"""
