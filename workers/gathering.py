"""Rows that were read one by one and belong to one item: its responses and what everybody said of them, together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from workers.rows import AnswerRow, ItemRow, ResponseRow, RowError

Row = Mapping[str, Any]


def together(rows: Sequence[Row], read: Callable[[Row], ItemRow]) -> ItemRow:
    """One item of several rows with a response each. Raises RowError for a row with another prompt."""
    items = [read_one(row, n, read) for n, row in enumerate(rows)]
    first = items[0]
    responses: list[ResponseRow] = []
    answers: list[AnswerRow] = []
    for n, item in enumerate(items):
        if item.prompt != first.prompt:
            raise RowError("differs from that of the rows before with this id", "prompt", n)
        at = place_of(item.responses[0], responses)
        answers += [replace(answer, response=at) for answer in item.answers]
    return replace(first, responses=responses, answers=one_each(answers))


def read_one(row: Row, n: int, read: Callable[[Row], ItemRow]) -> ItemRow:
    try:
        return read(row)
    except RowError as problem:
        raise RowError(problem.reason, problem.field, n) from None


def place_of(response: ResponseRow, responses: list[ResponseRow]) -> int:
    """The place of the same text by the same model; a new one at the end."""
    for n, there in enumerate(responses):
        if (there.text, there.model) == (response.text, response.model):
            return n
    responses.append(response)
    return len(responses) - 1


def one_each(answers: Iterable[AnswerRow]) -> list[AnswerRow]:
    """One answer of each annotator on each response: all critiques, and of verdicts on the same the latest."""
    found: dict[tuple[str, str, int, bool], AnswerRow] = {}
    for answer in answers:
        key = (answer.kind, answer.annotator, answer.response, bool(answer.ranks))
        before = found.get(key)
        if before is None:
            found[key] = answer
            continue
        verdicts = {(one.question, one.start): one for one in [*before.verdicts, *answer.verdicts]}
        words = dict.fromkeys(one.rationale for one in (before, answer) if one.rationale)
        found[key] = replace(
            before,
            critiques=[*before.critiques, *answer.critiques],
            verdicts=list(verdicts.values()),
            rationale="\n\n".join(words),
        )
    return list(found.values())
