"""Curate: a run of one method that proposes to keep, flip, drop or ask again; people decide, and versions follow.

asking.py      what a run is started with, and what it reads
rows.py        decided pairs as curators take them, with scores, vectors and shares of answers where they are needed
performing.py  the run: proposals written in pieces that survive a killed worker
deciding.py    accepted and refused, one or all that match
asked.py       pairs that people are asked again
showing.py     what pages and API tell
"""

from __future__ import annotations

from curation.services.curating.asking import CurateParams, settle
from curation.services.curating.performing import ended, execute
from curation.services.method import Method

METHOD = Method(
    name="curate",
    title="Curate",
    about="A curator goes through the decided pairs and proposes which to flip, to drop or to ask people again.",
    params=CurateParams,
    unit="rows",
    execute=execute,
    settle=settle,
    ended=ended,
)

__all__ = ["METHOD"]
