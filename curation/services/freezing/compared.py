"""Pairs with everything decided on them: preferences by axis, verdicts by response and question, each by majority.

Contents, preferences and verdicts stream in the order of their items. A verdict on a response counts in every pair of
it, and of one annotator's verdicts on it the latest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from curation.services.deciding import ANSWERED, TIE, UNDECIDED, Vote, decide, settled
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

LINEAGE: Fields = (
    ("item", "text"), ("pair", "whole"), ("task", "whole"), ("votes", "whole"), ("annotations", "ids"),
)  # fmt: skip

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


def candidates(selection: Selection) -> Iterator[Candidate]:
    names, levels = selection.names(), levels_of(selection)
    preferences, verdicts = Beside(preferred(selection), 1), Beside(judged(selection), 1)
    for item, pairs in groupby(selection.past.stream(PAIRS, [selection.project.pk]), key=lambda row: row[:1]):
        votes = by_task(preferences.at(item), names)
        said = by_response(verdicts.at(item), names)
        for _, task_id, pair_id, *content in pairs:
            yield candidate(selection, (task_id, pair_id), item[0], content, votes.get(task_id, {}), said, levels)


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
    votes: Mapping[str, Mapping[int, Vote]],
    said: Mapping[int, Mapping[str, Mapping[int, Any]]],
    levels: Mapping[str, list[str]],
) -> Candidate:
    item, prompt_hash, prompt, context, first_id, first, first_model, second_id, second, second_model = content
    least = selection.filters.min_annotations
    if not votes:
        return Candidate(prompt_hash, reason=NOT_ANSWERED)
    fewest = min(len(each) for each in votes.values())
    if fewest < least:
        return Candidate(prompt_hash, reason="too few answers")
    task_id, pair_id = ids
    both = [said.get(response, {}) for response in (first_id, second_id)]
    used = {pk for each in votes.values() for pk in each}
    used |= {pk for questions in both for answers in questions.values() for pk, _ in answers.values()}
    row = ComparedRow(
        item=item,
        prompt=loaded(prompt),
        context=context_of(context),
        responses=(first, second),
        models=(first_model, second_model),
        preferences={axis: preference(axis, list(each.values())) for axis, each in sorted(votes.items())},
        verdicts=(verdicts(both[0], levels, least), verdicts(both[1], levels, least)),
    )
    trace = {"item": item, "pair": pair_id, "task": task_id, "votes": fewest, "annotations": sorted(used)}
    return Candidate(prompt_hash, row, None, (trace,), item_id, (first_id, second_id))


def preference(axis: str, votes: list[Vote]) -> float | None:
    """The decided strength, 0 for a tie; None when undecided or both bad."""
    found = decide(0, None, axis, votes)
    return None if found.outcome == UNDECIDED else 0.0 if found.outcome == TIE else found.value


def verdicts(said: Mapping[str, Mapping[int, Any]], levels: Mapping[str, list[str]], least: int) -> dict[str, Any]:
    """What is decided on each question; None where nothing is: a draw, or too few answers."""
    return {
        question: settled([answer for _, answer in answers.values()], levels.get(question, ()))
        if len(answers) >= least
        else None
        for question, answers in sorted(said.items())
    }
