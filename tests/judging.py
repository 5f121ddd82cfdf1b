"""Models and runs for tests: registered without weights, and done to their end without Celery."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from curation.models import ModelVersion, Project, Run, User
from curation.services import running, sharding, starting
from workers import warm
from workers.judging import Candidate, Given, Judge, Judged, judges


def model(name: str = "length", **fields: Any) -> ModelVersion:
    """A model version that is ready; by default the program that counts words."""
    warm.forget()
    given = {"kind": "reward", "reference": "program:length", "state": ModelVersion.State.READY} | fields
    return ModelVersion.objects.create(name=name, **given)


class Fake:
    """A judge whose words are a function of a candidate; it notes what it was given."""

    device = "cpu"

    def __init__(self, says: Callable[[Any], dict[str, Any]]) -> None:
        self.says = says
        self.seen: list[Given] = []

    def judge(self, given: Iterable[Given]) -> Iterator[Judged]:
        for row in given:
            self.seen.append(row)
            for candidate in row.candidates or [Candidate(row.key, "")]:
                yield Judged(candidate.key, **self.says(candidate))


def teach(monkeypatch: Any, kind: str, says: Callable[[Any], dict[str, Any]]) -> Fake:
    """Let models of a kind say what `says` says, whatever their reference."""
    fake = Fake(says)
    warm.forget()
    assert list(judges)
    monkeypatch.setitem(judges._methods, kind, Judge(name=kind, title=kind, gives=(), open=lambda spec: fake))
    return fake


def done(project: Project, method: str, user: User | None = None, /, *, seed: int = 0, **params: Any) -> Run:
    """A run of a method, done to its end."""
    run = starting.start(project=project, method=method, params=params, user=user, seed=seed)
    finish(run)
    return run


def finish(run: Run) -> None:
    running.execute(str(run.pk))
    while sharding.work("cpu"):
        pass
    running.execute(str(run.pk))
    run.refresh_from_db()
