"""Which function does which method of a run, and what is told when it has ended."""

from __future__ import annotations

from collections.abc import Callable

from curation.models import Run
from curation.services import freezing, importing
from curation.services.running import Method

METHODS: dict[str, Method] = {
    "import": importing.execute,
    "freeze": freezing.execute,
}

ENDINGS: dict[str, Callable[[Run], None]] = {
    "import": importing.ended,
    "freeze": freezing.ended,
}
