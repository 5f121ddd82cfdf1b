"""Freeze: what is decided or said into an immutable, numbered, hashed dataset version.

Ordered streams are merged, so memory stays constant. Files are written into a folder beside the final one and moved
into place at the end, so a run broken off leaves nothing half done.
"""

from curation.services.freezing.asking import FreezeParams, begin, check_splits, checked_filters, request_version
from curation.services.freezing.making import ended, execute, ready, step
from curation.services.freezing.offering import offered, usual
from curation.services.freezing.proposing import FEW, as_kept, last, only_imported, usual_deciders
from curation.services.freezing.selecting import now
from curation.services.freezing.sources import count
from curation.services.method import Method

METHOD = Method(
    name="freeze",
    title="Make a dataset version",
    about="Writes what is decided or said into an immutable, numbered, hashed version.",
    params=FreezeParams,
    execute=execute,
    ended=ended,
    begin=begin,
)

__all__ = [
    "FEW", "METHOD", "as_kept", "check_splits", "checked_filters", "count", "last", "now", "offered", "only_imported",
    "ready", "request_version", "step", "usual", "usual_deciders",
]  # fmt: skip
