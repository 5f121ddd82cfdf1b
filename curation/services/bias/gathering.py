"""Decided pairs with their texts and the answers behind them, some hundred at a time: of a project, or of a version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from curation.models import Annotation, Annotator, DatasetFile, DatasetVersion, Pair, Project, Response
from curation.services import deciding, fits
from curation.services.agreeing import contents
from curation.services.deciding import Filters
from workers.bias.rows import Answer, Chosen

AT_ONCE = 300


@dataclass(frozen=True, slots=True)
class Decided:
    """One decided pair by ids: task, the better and the worse response, and the answers behind it."""

    task: int
    chosen: int
    rejected: int
    annotations: Sequence[int]


@dataclass(frozen=True, slots=True)
class Told:
    """A decided pair with its texts, and the answers behind it that prefer one of the two."""

    decided: Decided
    pair: Chosen
    answers: list[Answer]


def filters_of(project: Project, axis: str) -> Filters:
    """People's labels: of the fit in use where there is one, else their majority."""
    decided_by = str(project.fit_id) if project.fit_id else fits.MAJORITY
    return Filters(axis=axis, decided_by=decided_by)


def of_project(
    project: Project, axis: str, upto: int | None = None, *, after: int = 0, size: int = AT_ONCE
) -> Iterator[tuple[int, list[Decided]]]:
    """The decided pairs behind a task, in the order of their tasks, each time with the last task that was looked at;
    ties and what is undecided are left out."""
    filters, last = filters_of(project, axis), after
    while tasks := deciding.annotated_tasks(project, after=last, most=size):
        last = tasks[-1]
        yield last, decided_on(project, filters, tasks, upto)


def decided_on(project: Project, filters: Filters, tasks: Sequence[int], upto: int | None = None) -> list[Decided]:
    found = list(deciding.decisions(project, filters, as_of=upto, tasks=tasks))
    sure = [one for one in found if one.outcome in (deciding.FIRST, deciding.SECOND)]
    live = Pair.objects.filter(pk__in=[one.pair_id for one in sure if one.pair_id], deleted_at=None)
    pairs = {pk: both for pk, *both in live.values_list("pk", "first_id", "second_id")}
    made = []
    for one in sure:
        both = list(one.responses or pairs.get(one.pair_id or 0) or ())
        if both:
            chosen, rejected = both if one.outcome == deciding.FIRST else both[::-1]
            made.append(Decided(one.task_id, chosen, rejected, one.annotations))
    return made


def of_version(version: DatasetVersion, *, after: int = 0, size: int = AT_ONCE) -> Iterator[tuple[int, list[Decided]]]:
    """The pairs of a version behind so many lines of its lineage, each time with how many were read.
    Responses that are wrong beside no better one are left out."""
    import pyarrow.parquet as pq

    files = DatasetFile.objects.filter(version=version, split="lineage", name__endswith=".parquet").order_by("shard")
    read = 0
    for file in files:
        table = pq.ParquetFile(version.folder / file.name)
        for group in range(table.num_row_groups):
            rows = table.metadata.row_group(group).num_rows
            if read + rows <= after:
                read += rows
                continue
            for batch in table.iter_batches(size, row_groups=[group], columns=COLUMNS):
                read += len(batch)
                if read > after:
                    lines = batch.to_pylist()[skipped(after, read, len(batch)) :]
                    yield read, [decided_in(line) for line in lines if line["chosen"] and line["rejected"]]


def skipped(after: int, read: int, size: int) -> int:
    """How many of the `size` lines that end at `read` were asked to be passed over."""
    return max(0, after - (read - size))


COLUMNS = ["task", "chosen", "rejected", "annotations"]


def decided_in(line: dict[str, Any]) -> Decided:
    return Decided(line["task"], line["chosen"], line["rejected"], line["annotations"] or ())


def with_texts(project: Project, some: Sequence[Decided], axis: str) -> list[Told]:
    """The texts and answers of some decided pairs; those whose response is gone are left out."""
    wanted = {pk for one in some for pk in (one.chosen, one.rejected)}
    rows = Response.objects.filter(pk__in=wanted).values_list("pk", "text", "model")
    texts = {pk: (text, model) for pk, text, model in rows}
    answers = answers_of(project, some, {pk: len(text) for pk, (text, _) in texts.items()}, axis)
    found = []
    for one in some:
        chosen, rejected = texts.get(one.chosen), texts.get(one.rejected)
        if chosen and rejected:
            pair = Chosen(chosen[0], rejected[0], chosen[1], rejected[1])
            found.append(Told(one, pair, answers.get((one.task, one.chosen, one.rejected), [])))
    return found


Key = tuple[int, int, int]


def answers_of(
    project: Project, some: Sequence[Decided], lengths: dict[int, int], axis: str
) -> dict[Key, list[Answer]]:
    """What people said of each of some pairs, where it prefers one of its two responses."""
    ids = {pk for one in some for pk in one.annotations}
    people = Annotation.objects.filter(pk__in=ids, annotator__kind=Annotator.Kind.PERSON).order_by("pk")
    rows = people.values_list("pk", "annotator__name", "annotator__user__username", "order", "source", "created_at")
    given = {
        # an answer that came with a file has the time of its import, which says nothing of the person
        pk: (user or name, order, None if source == Annotation.Source.IMPORT else at.hour)
        for pk, name, user, order, source, at in rows
    }
    said = contents(project, list(given))
    found: dict[Key, list[Answer]] = {}
    for one in some:
        first, second = sorted((one.chosen, one.rejected))  # `first` of a pair is the older response
        longer = lengths.get(second, 0) - lengths.get(first, 0)
        for pk in one.annotations:
            side = preferred(said[pk], axis, first, second) if pk in given else 0
            if side:
                name, order, hour = given[pk]
                left = None if order not in ("ab", "ba") else (side < 0) == (order == "ab")
                answer = Answer((longer > 0) == (side > 0) if longer else None, left, name, hour)
                found.setdefault((one.task, one.chosen, one.rejected), []).append(answer)
    return found


def preferred(said: Any, axis: str, first: int, second: int) -> int:
    """Which of two responses an answer prefers: -1 the first, 1 the second, 0 neither."""
    value = said.preferences.get(axis)
    if value is not None and value != "both_bad":
        return (int(value) > 0) - (int(value) < 0)
    places = said.ranks
    if first in places and second in places:
        return (places[first] > places[second]) - (places[first] < places[second])
    return 0
