"""Training: a run that takes a dataset version and a base and leaves a model version; one method for each trainer.

asking.py        what a run is started with
performing.py    the process that trains, watched until it ends
registering.py   what came out, as a model version
told.py          what its page shows
sending.py       its hardest rows, sent to annotators
"""

from __future__ import annotations

from curation.services.training import sending
from curation.services.training.asking import methods

METHODS = (*methods(), sending.METHOD)

__all__ = ["METHODS"]
