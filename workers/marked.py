"""Responses with the spans that people marked, as the span trainer takes them, out of the targets that hold them.

A place of the text gets the worth of what is said of it: polarity (-1 poor, 1 good) times the weight of its severity.
Answers of several annotators on one response are put together: a token's label is then the share of annotators for
each worth. In the gradient of cross entropy that is the mean over rows kept apart, at the price of one reading, and
nobody's answer is outvoted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from workers.paired import Messages
from workers.spans import turns
from workers.training import Job


class Mark(NamedTuple):
    """What one annotator said of [start, end) in code points of the response."""

    start: int
    end: int
    worth: float
    type: str = ""


@dataclass(slots=True)
class Marked:
    """One response and the marks of each annotator who looked at it, none where one found nothing."""

    split: str
    row: int
    """The first of its rows."""
    item: str
    prompt: Messages
    response: str
    opinions: list[list[Mark]] = field(default_factory=list)


Weights = Mapping[str, float]
Found = tuple[object, str, Messages, str, list[Mark]]
"""What a response is known by, its item, prompt, text, and one annotator's marks."""


def marked_in(job: Job, split: str, weights: Weights) -> list[Marked]:
    """The responses of a split. Raises ValueError for a target without spans."""
    reading = READERS.get(job.target)
    if reading is None:
        raise ValueError(f"a version for {job.target} holds no marked responses")
    made: dict[object, Marked] = {}
    for number, row in enumerate(job.rows(split)):
        for key, item, prompt, response, marks in reading(row, weights):
            if key not in made:
                made[key] = Marked(split, number, item, prompt, response)
            made[key].opinions.append(marks)
    return list(made.values())


def text2grad(row: Mapping[str, Any], weights: Weights) -> Iterator[Found]:
    """One annotator's good and poor offsets; severities are not in this target."""
    marks = [
        Mark(start, end, worth)
        for name, worth in (("poor_offsets", -1.0), ("good_offsets", 1.0))
        for start, end in row[name]
    ]
    key = (row["id"], row["response"])
    yield key, str(row["id"]), turns(row["prompt"]), row["response"], marks


def answered(row: Mapping[str, Any], weights: Weights) -> Iterator[Found]:
    """One annotator's answer on one response or two. Marks without a polarity say nothing of worth."""
    for response in row["responses"]:
        marks = [
            Mark(one["start"], one["end"], one["polarity"] * weights.get(one["severity"] or "", 1.0), one["type"] or "")
            for one in row["critiques"]
            if one["response"] == response["id"]
            and not one["message"]
            and one["polarity"]
            and one["start"] is not None
            and one["start"] < one["end"]
        ]
        yield response["id"], str(row["item"]), row["prompt"], response["text"], marks


READERS: dict[str, Callable[[Mapping[str, Any], Weights], Iterator[Found]]] = {
    "text2grad": text2grad,
    "annotations": answered,
}


def worth_at(text: str, place: tuple[int, int], marks: Iterable[Mark]) -> float:
    """What one annotator says of [start, end): the worst of what is said there, else the best; 0 where nothing is.

    White space at the ends of a token says nothing, so that a mark on a word does not reach the token after it.
    """
    start, end = place
    end = start + len(text[start:end].rstrip())
    start = end - len(text[start:end].lstrip())
    said = [mark.worth for mark in marks if mark.start < end and start < mark.end]
    if not said:
        return 0.0
    return min(said) if min(said) < 0 else max(said)


def shares(one: Marked, place: tuple[int, int]) -> dict[float, float]:
    """Of each worth the share of annotators who give it to a place."""
    told = Counter(worth_at(one.response, place, marks) for marks in one.opinions)
    return {worth: count / len(one.opinions) for worth, count in told.items()}


def poor(one: Marked, place: tuple[int, int]) -> bool:
    """Whether at least half of the annotators mark a place as poor."""
    return 2 * sum(share for worth, share in shares(one, place).items() if worth < 0) >= 1


def runs(places: Iterable[int]) -> list[tuple[int, int]]:
    """Places as half-open spans."""
    found: list[tuple[int, int]] = []
    for place in sorted(places):
        if found and found[-1][1] == place:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found


def classes(rows: Iterable[Marked]) -> tuple[float, ...]:
    """Every worth that somebody gave, and 0; rising."""
    return tuple(sorted({0.0} | {mark.worth for row in rows for marks in row.opinions for mark in marks}))


def named(worths: Sequence[float]) -> list[str]:
    """The names of classes, by which the judge of tokens knows what each is worth."""
    return [f"{worth:g}" for worth in worths]
