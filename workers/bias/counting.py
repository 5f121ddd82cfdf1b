"""Counts of a stream of pairs and answers, and the figures that they make.

Of each property: where one response has it and the other not, the share in which the one with it was chosen, with
Wilson's interval. One half is no pull. Beside it, how much of everything chosen has it, and of everything rejected.
Rows are taken to be independent; several rows of one prompt or one person make the intervals too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from workers.bias.family import family
from workers.bias.length import NAMES as LENGTHS
from workers.bias.length import length
from workers.bias.markdown import MARKS, markdown
from workers.bias.people import annotator, hour
from workers.bias.position import NAME as LEFT
from workers.bias.position import position
from workers.bias.refusal import NAME as REFUSES
from workers.bias.refusal import refusal
from workers.bias.rows import Answer, Chosen, Seens
from workers.habits.chance import binomial_p, discoveries
from workers.intervals import wilson

OF_PAIRS: Mapping[str, Callable[[Chosen], Seens]] = {
    "length": length, "markdown": markdown, "refusal": refusal, "family": family,
}  # fmt: skip
OF_ANSWERS: Mapping[str, Callable[[Answer], Seens]] = {"position": position, "annotator": annotator, "hour": hour}
ALWAYS = {"length": LENGTHS, "markdown": tuple(MARKS), "refusal": (REFUSES,), "position": (LEFT,)}
"""Properties that are told of even where nothing has them."""
FEWEST = 20
"""With fewer rows that speak of it no property is tested."""
MOST_NAMES = 2_000
"""So many names of a signal are counted apart; what comes later is one more."""
OTHERS = "(others)"


@dataclass(slots=True)
class Count:
    """Rows that speak of a property: on one side only (`n`, chosen `won`), and on each side at all."""

    won: int = 0
    n: int = 0
    chosen: int = 0
    rejected: int = 0


@dataclass(slots=True)
class Counts:
    """Everything that was counted so far; it grows with the names there are, not with the rows."""

    pairs: int = 0
    answers: int = 0
    by: dict[tuple[str, str], Count] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)

    def add_pair(self, pair: Chosen) -> None:
        self.pairs += 1
        for signal, says in OF_PAIRS.items():
            self.add(signal, says(pair))

    def add_answer(self, answer: Answer) -> None:
        self.answers += 1
        for signal, says in OF_ANSWERS.items():
            self.add(signal, says(answer))

    def add(self, signal: str, seen: Seens) -> None:
        for name, chosen, rejected in seen:
            count = self.count_of(signal, name)
            count.chosen += chosen
            count.rejected += rejected
            if chosen != rejected:
                count.n += 1
                count.won += chosen

    def count_of(self, signal: str, name: str) -> Count:
        found = self.by.get((signal, name))
        if found is None:
            if self.names.get(signal, 0) >= MOST_NAMES:
                name = OTHERS
            else:
                self.names[signal] = self.names.get(signal, 0) + 1
            found = self.by.setdefault((signal, name), Count())
        return found


def figures(counts: Counts) -> list[dict[str, Any]]:
    """A row for each property, signal by signal: `share`, `low`, `high` are None where nothing speaks of it.

    `marked` are those that stand out from one half among all that are tested (Benjamini and Hochberg at 5 %).
    """
    by = dict(counts.by)
    for signal, names in ALWAYS.items():
        for name in names:
            by.setdefault((signal, name), Count())
    rows = [row(signal, name, by[signal, name], counts) for signal, name in sorted(by, key=lambda key: order(key, by))]
    tested = [one for one in rows if one["n"] >= FEWEST]
    for one, named in zip(tested, discoveries([one["p"] for one in tested]), strict=True):
        one["marked"] = named
    return rows


def order(key: tuple[str, str], by: Mapping[tuple[str, str], Count]) -> tuple[Any, ...]:
    """Signals as they are listed above; their properties as listed, hours by the clock, others by how many rows."""
    signal, name = key
    known = ALWAYS.get(signal, ())
    place = known.index(name) if name in known else 0 if signal == "hour" else -by[key].n
    return [*OF_PAIRS, *OF_ANSWERS].index(signal), place, name


def row(signal: str, name: str, count: Count, counts: Counts) -> dict[str, Any]:
    whole = counts.pairs if signal in OF_PAIRS else counts.answers
    return {
        "signal": signal,
        "name": name,
        **asdict(wilson(count.won, count.n)),
        "p": binomial_p(count.won, count.n) if count.n else None,
        "marked": False,
        "chosen": asdict(wilson(count.chosen, whole)),
        "rejected": asdict(wilson(count.rejected, whole)),
    }
