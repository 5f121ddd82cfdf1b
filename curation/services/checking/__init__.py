"""Checks of how people and models answer: position, pace, circles, drift, company, and machine-written critiques.

asking.py     the run that makes them
gathering.py  the answers, annotator by annotator
repeated.py   who says the same when asked again, sides swapped
judging.py    figures of each, and which of them stand out
telling.py    what pages and API tell of them
"""

from __future__ import annotations

from curation.services.checking.asking import METHOD

__all__ = ["METHOD"]
