"""A curator whose proposals are known, and runs of curators."""

from __future__ import annotations

from typing import Any

import pytest

from curation.models import Run
from curation.services import running, starting
from tests.cast import Cast, make_pairs
from tests.test_decide import prefer
from workers.curating import Aid, Curator, Proposal, Settings, curators


def propose(rows: Any, params: Settings, aid: Aid) -> Any:
    """Of every five pairs one to keep, flip, drop, ask, and none; in two walks."""
    seen = sum(1 for _ in rows)
    for number, row in enumerate(rows):
        if number % 5 < 4:
            action: Any = ("keep", "flip", "drop", "ask")[number % 5]
            yield Proposal(row.subject, action, number / seen, f"number {number}", f"planted {action}")


PLANTED = Curator(name="planted", title="Planted", about="", propose=propose)


def plant(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Cast:
    """Twenty pairs of which ann says that the first is better, and a curator that says something of each."""
    curators.get("agreement")
    monkeypatch.setitem(curators._methods, "planted", PLANTED)
    for task in make_pairs(cast.project, 20):
        prefer(cast.project, "ann", task, -2)
    return cast


def started(cast: Cast, curator: str = "planted", **params: Any) -> Run:
    return starting.start(
        project=cast.project, method="curate", params={"curator": curator, **params}, user=cast.people["olga"]
    )


def curated(cast: Cast, curator: str = "planted", **params: Any) -> Run:
    run = started(cast, curator, **params)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded", run.error
    return run
