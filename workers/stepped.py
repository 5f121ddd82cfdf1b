"""Responses whose steps were judged, as the step trainer takes them, out of the targets that hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workers.paired import Messages
from workers.rows import VerdictRow
from workers.spans import turns
from workers.training import Job
from workers.writers import Dropped
from workers.writers.trl_stepwise import STEP, right

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stepped:
    """One response, the places of its judged steps in code points, and of each the share who say that it is right."""

    split: str
    row: int
    item: str
    prompt: Messages
    response: str
    units: list[Span]
    labels: list[float]
    whole: bool
    """Whether the response is known to its end; else it ends with its last judged step."""

    @property
    def wrong(self) -> int | None:
        """The first wrong step."""
        return next((n for n, label in enumerate(self.labels) if label < 0.5), None)

    def until(self, count: int) -> Stepped:
        """The same, as it was when it had so many steps, with what stands between the last and the next."""
        end = self.units[count][0] if count < len(self.units) else len(self.response)
        return Stepped(
            self.split, self.row, self.item, self.prompt, self.response[:end], self.units[:count],
            self.labels[:count], False,
        )  # fmt: skip


def stepped_in(job: Job, split: str) -> list[Stepped]:
    """The responses of a split with a judged step. Raises ValueError for a target without steps."""
    reading = READERS.get(job.target)
    if reading is None:
        raise ValueError(f"a version for {job.target} holds no judged steps")
    return [one for one in reading(split, enumerate(job.rows(split))) if one.units]


Rows = Iterator[tuple[int, Mapping[str, Any]]]


def stepwise(split: str, rows: Rows) -> Iterator[Stepped]:
    """TRL's stepwise supervision: the completions joined are the response up to the last judged step."""
    for number, row in rows:
        units: list[Span] = []
        text = ""
        for part in row["completions"]:
            units.append((len(text) + len(part) - len(part.lstrip()), len(text) + len(part.rstrip())))
            text += part
        labels = [float(label) for label in row["labels"]]
        yield Stepped(split, number, f"{split}/{number}", turns(row["prompt"]), text, units, labels, False)


def answered(split: str, rows: Rows) -> Iterator[Stepped]:
    """Raw answers: the whole response, and every step that somebody judged, with the share who say it is right."""
    found: dict[int, tuple[int, Mapping[str, Any], Mapping[str, Any]]] = {}
    told: dict[int, dict[Span, list[bool]]] = {}
    for number, row in rows:
        for response in row["responses"]:
            found.setdefault(response["id"], (number, row, response))
        for one in row["verdicts"]:
            if one["question"] == STEP and one["start"] is not None:
                places = told.setdefault(one["response"], {})
                places.setdefault((one["start"], one["end"]), []).extend(answer_of(one["answer"]))
    for key, (number, row, response) in found.items():
        judged = {place: answers for place, answers in sorted(told.get(key, {}).items()) if answers}
        labels = [sum(answers) / len(answers) for answers in judged.values()]
        yield Stepped(split, number, str(row["item"]), row["prompt"], response["text"], list(judged), labels, True)


def answer_of(answer: Any) -> list[bool]:
    """Whether a step is right; nothing where the answer does not say."""
    try:
        return [right(VerdictRow(STEP, answer))]
    except Dropped:
        return []


READERS: dict[str, Callable[[str, Rows], Iterator[Stepped]]] = {"trl-stepwise": stepwise, "annotations": answered}
