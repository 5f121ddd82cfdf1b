"""What is selected for a version, and what the merges of ordered streams have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from curation.models import DatasetVersion, Project, Protocol
from curation.services.deciding import STANDING, last_annotation
from curation.services.filtering import Filters, who
from curation.services.label_names import CurrentNames, current_names
from curation.services.past import NOW, Past
from workers.writers import Target, targets

Fields = tuple[tuple[str, str], ...]
"""Names of columns with their kinds: text, whole, real, ids."""
Stream = Iterator[tuple[Any, ...]]


@dataclass(slots=True)  # not frozen, as the rows of workers/rows.py
class Candidate:
    """What a target may make rows of, or the reason why it does not get to see it."""

    prompt_hash: str
    given: Any = None
    reason: str | None = None
    lineage: Sequence[Mapping[str, Any]] = ()
    """Where it came from: a pair's decision, or each of the answers in it."""
    item_id: int = 0
    responses: tuple[int, ...] = ()
    """What it is about; of a decided pair the chosen response, then the rejected one."""
    source: str = ""
    """Of its item; only where a version is split by it."""
    group: str = ""
    """What a version is balanced by."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Whose answers, up to which, for which target, read as which version of the protocol calls things."""

    project: Project
    target: Target
    filters: Filters
    upto: int
    protocol: Protocol | None = None
    seed: int = 0
    split_by: str = DatasetVersion.SplitBy.PROMPT
    as_of: datetime | None = None
    """The moment up to which scores are read; None: as they are."""
    past: Past = NOW
    """As which items are read."""
    settled: int | None = None
    """The decision up to which what people settled is read; None: all of it."""
    kept_out: Callable[[Iterator[Candidate]], Iterator[Candidate]] | None = None
    """What gives candidates that must stay unseen a reason (`unseen.py`)."""

    @property
    def standing(self) -> list[int]:
        """The parameters of STANDING."""
        return [self.project.pk, self.upto, self.upto]

    @property
    def condition(self) -> str:
        """Behind ANSWERED: the answers that stand, of those who are asked; its parameters are `params`."""
        return f"{STANDING} AND {who(self.filters)[0]}"

    @property
    def params(self) -> list[Any]:
        return [*self.standing, *who(self.filters)[1]]

    def names(self) -> CurrentNames | None:
        """How earlier labels are read; None where nothing was ever relabelled."""
        return (current_names(self.protocol) or None) if self.protocol else None


def now(project: Project, target: Target, filters: Filters, split_by: str, seed: int) -> Selection:
    """What a version would hold that was asked for now."""
    return Selection(project, target, filters, last_annotation(project), project.protocol, seed, split_by)


def selection_of(version: DatasetVersion) -> Selection:
    """What a version holds: the same each time that it is made."""
    project, number = version.dataset.project, version.lineage.get("protocol")
    protocol = Protocol.objects.filter(project=project, version=number).first() if number else project.protocol
    upto = version.lineage["last_annotation"]
    filters, as_of = Filters.model_validate(version.filters), version.created_at
    target = target_of(version)
    past = past_of(version)
    settled = version.lineage.get("last_settled", 0)
    return Selection(project, target, filters, upto, protocol, version.seed, version.split_by, as_of, past, settled)


def target_of(version: DatasetVersion) -> Target:
    """Its target in the form that there was when the version was asked for; before forms were kept, in the first."""
    return targets.get(version.target).as_of(version.lineage.get("edition", 1))


def past_of(version: DatasetVersion) -> Past:
    """Items as a version reads them: one made before changes were followed reads them as they are now."""
    return Past(version.dataset.project_id, version.lineage.get("last_change"))


NOT_ANSWERED = "not answered"


@dataclass(slots=True)
class Beside:
    """An ordered stream that goes along with another one: what it has under each key, the keys in rising order."""

    rows: Stream
    width: int
    """How many columns are the key; they come first."""
    ahead: tuple[Any, ...] | None = field(init=False)

    def __post_init__(self) -> None:
        self.ahead = next(self.rows, None)

    def at(self, key: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """The rest of the rows under `key`; those under lower keys are passed over."""
        found = []
        while self.ahead is not None and self.ahead[: self.width] <= key:
            if self.ahead[: self.width] == key:
                found.append(self.ahead[self.width :])
            self.ahead = next(self.rows, None)
        return found


def loaded(text: str | None) -> Any:
    """The value of a JSON column."""
    return None if text is None else orjson.loads(text)


def context_of(text: str) -> dict[str, Any]:
    """A context whose documents are objects with a title and a text."""
    context: dict[str, Any] = loaded(text) or {}
    if documents := context.get("documents"):
        each = [{"text": one} if isinstance(one, str) else one for one in documents]
        context["documents"] = [{**one, "title": one.get("title") or "", "text": one.get("text") or ""} for one in each]
    return context
