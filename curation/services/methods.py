"""Every method of a run, by name."""

from __future__ import annotations

from curation.services import freezing, importing, scoring
from curation.services.method import Method

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        importing.METHOD,
        freezing.METHOD,
        scoring.METHOD,
    )
}
