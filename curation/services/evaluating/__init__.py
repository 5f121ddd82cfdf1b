"""Evaluation: a run that puts a benchmark's cases to a model and keeps its scores, and every row that they are made of.

asking.py     what a run is started with
gathering.py  the cases, as a file of the run
own.py        a project's own decided pairs as cases
judging.py    one shard: what the model says of some cases
closing.py    the scores, as an Evaluation
showing.py    what pages and API tell of evaluations
"""

from __future__ import annotations

from curation.services.evaluating.asking import METHOD

__all__ = ["METHOD"]
