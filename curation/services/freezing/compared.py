"""Pairs with everything decided on them: preferences by axis, verdicts by response and question.

Each is decided by the majority, or by a fit; what people settled by hand goes before both, as everywhere
(`deciding.py`). Contents, preferences and verdicts stream in the order of their items. A verdict on a response counts
in every pair of it, and of one annotator's verdicts on it the latest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from curation import bulk
from curation.services.deciding import ANSWERED, BOTH_BAD, BY_HAND, TIE, UNDECIDED, Vote, by_all, decide, settled
from curation.services.fits import MAJORITY
from curation.services.freezing.selecting import (
    NOT_ANSWERED,
    Beside,
    Candidate,
    Fields,
    Selection,
    Stream,
    context_of,
    loaded,
)
from curation.services.label_names import CurrentNames
from workers.readers.pku_saferlhf import SEVERITIES
from workers.rows import ComparedRow
from workers.writers import Target

FIRST_LINEAGE: Fields = (
    ("item", "text"), ("pair", "whole"), ("task", "whole"), ("votes", "whole"), ("annotations", "ids"),
)  # fmt: skip
LINEAGE: Fields = (*FIRST_LINEAGE, ("how", "text"))
"""`how` names every way in which anything of the row was decided."""

PAIRS = """
SELECT i.id, t.id, p.id, i.external_id, i.prompt_hash, i.prompt, i.context,
       f.id, f.text, f.model, s.id, s.text, s.model
FROM curation_item i
JOIN curation_pair p ON p.item_id = i.id AND p.deleted_at IS NULL
JOIN curation_task t ON t.pair_id = p.id
JOIN curation_response f ON f.id = p.first_id
JOIN curation_response s ON s.id = p.second_id
WHERE i.project_id = %s AND i.deleted_at IS NULL
ORDER BY i.id, t.id
"""


AXES = """
SELECT q.item_id, d.task_id, d.name, d.outcome, d.value, d.votes, d.annotations, d.how
FROM curation_decision d JOIN curation_task t ON t.id = d.task_id JOIN curation_pair q ON q.id = t.pair_id
WHERE d.kind = 'axis' AND {} ORDER BY q.item_id, d.task_id, d.id
"""
QUESTIONS = """
SELECT s.item_id, d.response_id, d.name, d.outcome, d.answer, d.votes, d.annotations, d.how
FROM curation_decision d JOIN curation_response s ON s.id = d.response_id
WHERE d.kind = 'question' AND d.start IS NULL AND {} ORDER BY s.item_id, d.id
"""
"""Of several decisions on one thing the last counts."""
SIGN = {"first": -1.0, "second": 1.0}


@dataclass(frozen=True, slots=True)
class Label:
    """What is decided on an axis of a pair, or on a question about a response; of no value: it is undecided."""

    value: Any
    votes: int
    annotations: Sequence[int]
    how: str = MAJORITY

    def enough(self, least: int) -> bool:
        """Whether so many answered; what people settled by hand does not take answers."""
        return self.votes >= least or self.how in BY_HAND


Labels = dict[int, dict[str, Label]]
"""By task and axis, or by response and question."""


def lineage(target: Target) -> Fields:
    return LINEAGE if decides(target) else FIRST_LINEAGE


def decides(target: Target) -> bool:
    """Whether it knows decisions; in its first edition everything was decided by the majority."""
    return target.edition > 1


def candidates(selection: Selection) -> Iterator[Candidate]:
    streams = [by_majority(selection) if selection.filters.decided_by == MAJORITY else of_fit(selection)]
    if decides(selection.target) and by_all(selection.filters):
        streams.append(by_hand(selection))
    for item, pairs in groupby(selection.past.stream(PAIRS, [selection.project.pk]), key=lambda row: row[:1]):
        found = [each.at(item) for each in streams]
        votes, said = (laid_over([one[n] for one in found]) for n in (0, 1))
        for _, task_id, pair_id, *content in pairs:
            yield candidate(selection, (task_id, pair_id), item[0], content, votes.get(task_id, {}), said)


@dataclass(slots=True)
class Decided:
    """Labels of axes and of questions, item by item, out of two streams; each has its way of reading rows."""

    axes: Beside
    questions: Beside
    read_axes: Callable[[Iterable[tuple[Any, ...]]], Labels]
    read_questions: Callable[[Iterable[tuple[Any, ...]]], Labels]

    def at(self, item: tuple[Any, ...]) -> tuple[Labels, Labels]:
        return self.read_axes(self.axes.at(item)), self.read_questions(self.questions.at(item))


def laid_over(found: Sequence[Labels]) -> Labels:
    """The later ones over the earlier ones."""
    labels: Labels = {}
    for each in found:
        for place, named in each.items():
            labels[place] = {**labels.get(place, {}), **named}
    return labels


# --- Out of the table of decisions -------------------------------------------------------------------------


def of_fit(selection: Selection) -> Decided:
    run = selection.filters.decided_by
    return of_table(selection, "d.run_id = %s", [bulk.uuid(UUID(run))], f"@{run}")


def by_hand(selection: Selection) -> Decided:
    last = 2**62 if selection.settled is None else selection.settled
    return of_table(selection, "d.project_id = %s AND d.run_id IS NULL AND d.id <= %s", [selection.project.pk, last])


def of_table(selection: Selection, condition: str, params: Sequence[Any], suffix: str = "") -> Decided:
    def read(rows: Iterable[tuple[Any, ...]], value: Callable[[str, Any], Any]) -> Labels:
        found: Labels = defaultdict(dict)
        for place, name, outcome, told, votes, behind, how in rows:
            found[place].pop(name, None)
            if outcome:  # an empty one takes the one before back
                found[place][name] = Label(value(outcome, told), votes, ids(behind), f"{how}{suffix}")
        return found

    axes, questions = (Beside(selection.past.stream(sql.format(condition), params), 1) for sql in (AXES, QUESTIONS))
    return Decided(axes, questions, lambda rows: read(rows, strength), lambda rows: read(rows, answered))


def ids(given: Any) -> list[int]:
    found: list[int] = loaded(given) if isinstance(given, str) else given
    return found


def strength(outcome: str, value: float | None) -> float | None:
    """0 for a tie; None when undecided or both bad."""
    if outcome in (UNDECIDED, BOTH_BAD):
        return None
    return 0.0 if outcome == TIE else SIGN[outcome] if value is None else value


def answered(outcome: str, answer: Any) -> Any:
    return None if outcome == UNDECIDED else loaded(answer) if isinstance(answer, str) else answer


# --- By the majority ---------------------------------------------------------------------------------------


def by_majority(selection: Selection) -> Decided:
    names, levels = selection.names(), levels_of(selection)

    def axes(rows: Iterable[tuple[Any, ...]]) -> Labels:
        return {
            task: {
                axis: Label(preference(axis, list(each.values())), len(each), list(each)) for axis, each in said.items()
            }
            for task, said in by_task(rows, names).items()
        }

    def questions(rows: Iterable[tuple[Any, ...]]) -> Labels:
        return {
            response: {
                question: Label(
                    settled([answer for _, answer in each.values()], levels.get(question, ())),
                    len(each),
                    [pk for pk, _ in each.values()],
                )
                for question, each in said.items()
            }
            for response, said in by_response(rows, names).items()
        }

    return Decided(Beside(preferred(selection), 1), Beside(judged(selection), 1), axes, questions)


def preferred(selection: Selection) -> Stream:
    return selection.past.stream(
        f"SELECT q.item_id, a.task_id, a.protocol_id, a.id, p.axis, p.value, p.both_bad {ANSWERED}"
        f" JOIN curation_pair q ON q.id = t.pair_id JOIN curation_preference p ON p.annotation_id = a.id"
        f" {selection.condition} ORDER BY q.item_id, a.task_id, a.id, p.id",
        selection.params,
    )


def judged(selection: Selection) -> Stream:
    return selection.past.stream(
        f"SELECT s.item_id, v.response_id, a.annotator_id, a.protocol_id, a.id, v.question, v.answer {ANSWERED}"
        f" JOIN curation_verdict v ON v.annotation_id = a.id AND v.start IS NULL"
        f" JOIN curation_response s ON s.id = v.response_id"
        f" {selection.condition} ORDER BY s.item_id, a.id, v.id",
        selection.params,
    )


def levels_of(selection: Selection) -> dict[str, list[str]]:
    """The questions whose labels are levels, in order: `severity`."""
    questions = selection.protocol.questions if selection.protocol else []
    asked = [q for q in questions if q["name"] == "severity" and q.get("options")]
    return {"severity": [label["name"] for label in asked[0]["options"]] if asked else list(SEVERITIES)}


def by_task(rows: Iterable[tuple[Any, ...]], names: CurrentNames | None) -> dict[int, dict[str, dict[int, Vote]]]:
    """Votes by task, axis and annotation; where two axes were merged, the one that has the name counts."""
    found: dict[int, dict[str, dict[int, Vote]]] = defaultdict(lambda: defaultdict(dict))
    for task_id, protocol_id, pk, given, value, bad in rows:
        axis = names.of(protocol_id).axis(given) if names else given
        if axis is not None and (pk not in found[task_id][axis] or axis == given):
            found[task_id][axis][pk] = (pk, value, bool(bad))
    return found


def by_response(rows: Iterable[tuple[Any, ...]], names: CurrentNames | None) -> dict[int, dict[str, dict[int, Any]]]:
    """Answers with their annotation, by response, question and annotator."""
    found: dict[int, dict[str, dict[int, Any]]] = defaultdict(lambda: defaultdict(dict))
    for response_id, annotator_id, protocol_id, pk, given, text in rows:
        question: str | None = given
        answer = loaded(text)
        if names:
            reading = names.of(protocol_id)
            question, answer = reading.question(given), reading.answer(given, answer)
        if question is None or answer is None:
            continue
        before = found[response_id][question].get(annotator_id)
        if before is None or before[0] != pk or question == given:
            found[response_id][question][annotator_id] = (pk, answer)
    return found


def candidate(
    selection: Selection,
    ids: tuple[int, int],
    item_id: int,
    content: list[Any],
    votes: Mapping[str, Label],
    said: Mapping[int, Mapping[str, Label]],
) -> Candidate:
    item, prompt_hash, prompt, context, first_id, first, first_model, second_id, second, second_model = content
    least = selection.filters.min_annotations
    if not votes:
        return Candidate(prompt_hash, reason=NOT_ANSWERED)
    if not all(label.enough(least) for label in votes.values()):
        return Candidate(prompt_hash, reason="too few answers")
    task_id, pair_id = ids
    both = [said.get(response, {}) for response in (first_id, second_id)]
    used = [*votes.values(), *(label for questions in both for label in questions.values())]
    row = ComparedRow(
        item=item,
        prompt=loaded(prompt),
        context=context_of(context),
        responses=(first, second),
        models=(first_model, second_model),
        preferences={axis: label.value for axis, label in sorted(votes.items())},
        verdicts=(verdicts(both[0], least), verdicts(both[1], least)),
    )
    trace: dict[str, Any] = {"item": item, "pair": pair_id, "task": task_id}
    trace["votes"] = min(label.votes for label in votes.values())
    trace["annotations"] = sorted({pk for label in used for pk in label.annotations})
    if decides(selection.target):
        trace["how"] = ", ".join(sorted({label.how for label in used}))
    return Candidate(prompt_hash, row, None, (trace,), item_id, (first_id, second_id))


def preference(axis: str, votes: list[Vote]) -> float | None:
    """The decided strength, 0 for a tie; None when undecided or both bad."""
    found = decide(0, None, axis, votes)
    return None if found.outcome == UNDECIDED else 0.0 if found.outcome == TIE else found.value


def verdicts(said: Mapping[str, Label], least: int) -> dict[str, Any]:
    """What is decided on each question; None where nothing is: a draw, or too few answers."""
    return {name: label.value if label.enough(least) else None for name, label in sorted(said.items())}
