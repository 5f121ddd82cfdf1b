"""Decide: a run that fits who can be trusted, and with that decides every label; kept as rows, chosen by a manager.

asking.py      what a run is started with, and what it reads
voting.py      answers as votes: preferences, rankings, questions
marking.py     critiques as marks on texts
performing.py  the run: one fit for each thing that is asked, its rows written in pieces that survive a killed worker
using.py       which fit is in use; what people settle by hand
showing.py     what pages and API tell
"""

from curation.services.aggregating.asking import DecideParams
from curation.services.aggregating.performing import ended, execute
from curation.services.method import Method

METHOD = Method(
    name="decide",
    title="Decide labels",
    about="Fits how reliable each annotator is and decides every label with that, people and models alike if asked.",
    params=DecideParams,
    unit="decisions",
    execute=execute,
    ended=ended,
)

__all__ = ["METHOD"]
