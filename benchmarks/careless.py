"""How many careless annotators hidden gold finds, and how many careful ones it wrongs.

Careful annotators are real: people of published sets, each as often right as they were on pairs on which at least four
others agree by 80 % or more (the gold), drawn with replacement from their own answers. Careless ones are planted: who
decides by a coin, who takes the left response 19 times of 20, and who says what a model says. The rule is the
product's: after each gold answer, Wilson's upper end beside the share that is needed, from the tenth answer on. Gold
is balanced as the product serves it.

    python -m benchmarks.careless --data FOLDER
"""

from __future__ import annotations

import argparse
import gzip
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import orjson

from workers.gold import wanted
from workers.intervals import wilson

AFTER, MOST = 10, 50
"""Gold answers before a pause is possible, and those that are played."""
NEEDED = (50, 60, 65, 68, 70, 80)
"""Percent that must be right."""
LOOKS, SHOWN = (10, 20, 30, 50), 68
"""Numbers of gold answers at which the second tables look, and the share that is needed there."""
RUNS = 4000
OTHERS, AGREE = 4, 0.8
FEWEST = 20
"""Gold answers of a real annotator from which on they are one of those who are played."""
GOOD = 0.7
"""Share right in one half of the answers that makes a careful annotator of somebody; the other half is played."""
LEFT = 0.95
SEED = 7

Play = Callable[[Random, int], bool]
"""Whether the gold answer number n is right."""


@dataclass
class Crowd:
    """What real people did on gold, and how often a model is right there."""

    name: str
    people: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    model: list[bool] = field(default_factory=list)
    copies: str = ""


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rb") as lines:
        yield from map(orjson.loads, lines)


def gold_among(votes: dict[str, str], but: str = "") -> str | None:
    """What is right by all others; None where they are too few, or agree too little, or on a tie."""
    others = [choice for who, choice in votes.items() if who != but]
    if len(others) < OTHERS:
        return None
    (side, most), *_ = Counter(others).most_common(1)
    return side if side in ("a", "b") and most >= AGREE * len(others) else None


def add(crowd: Crowd, votes: dict[str, str], model: str | None) -> None:
    for who, choice in votes.items():
        if right := gold_among(votes, who):
            crowd.people[who].append(choice == right)
    if model and (right := gold_among(votes)):
        crowd.model.append(model == right)


def arguments(folder: Path) -> Crowd:
    """UKPConvArg1: which argument is more convincing; the model takes the longer one."""
    crowd = Crowd("UKPConvArg1", copies="the longer argument")
    texts = {row["arg"]: row["text"] for row in rows(folder / "pref_ukpconvarg1/arguments.jsonl.gz")}
    for row in rows(folder / "pref_ukpconvarg1/judgments.jsonl.gz"):
        first, second = (len(texts.get(row[f"response_{side}"], "")) for side in "ab")
        add(crowd, {vote["annotator"]: vote["choice"] for vote in row["votes"]}, "a" if first > second else "b")
    return crowd


def answers(folder: Path) -> Crowd:
    """CrowdRAG-25: the better answer to a query; the model is a published one's verdict on the same pair."""
    crowd = Crowd("CrowdRAG-25", copies="GPT-4o's verdict")
    said = {
        (row["query_id"], frozenset((row["response_a"], row["response_b"]))): row[f"response_{row['quality_overall']}"]
        for row in rows(folder / "pref_crowdrag25/llm_judgments.jsonl.gz")
        if row.get("quality_overall") in ("a", "b")
    }
    for row in rows(folder / "pref_crowdrag25/judgments.jsonl.gz"):
        better = said.get((row["topic"], frozenset((row["response_a"], row["response_b"]))))
        model = None if better is None else "a" if better == row["response_a"] else "b"
        add(crowd, {vote["annotator"]: vote["quality_overall"] for vote in row["votes"]}, model)
    return crowd


def entailment(folder: Path) -> Crowd:
    """RTE (Snow 2008): yes or no, against the truth of experts."""
    crowd = Crowd("RTE, experts' truth")
    truth = {row["item"]: row["truth"] for row in rows(folder / "crowd_classification/rte.truth.jsonl.gz")}
    for row in rows(folder / "crowd_classification/rte.labels.jsonl.gz"):
        if row["item"] in truth:
            crowd.people[row["worker"]].append(row["label"] == truth[row["item"]])
    return crowd


# --- Playing --------------------------------------------------------------------------------------------


def paused_at(play: Play, chance: Random, needed: int) -> int | None:
    """The number of gold answers after which somebody is paused; None: not within MOST."""
    right = 0
    for n in range(MOST):
        right += play(chance, n)
        high = wilson(right, n + 1).high
        if n + 1 >= AFTER and high is not None and high < needed / 100:
            return n + 1
    return None


def by_coin(chance: Random, _n: int) -> bool:
    return chance.random() < 0.5


def by_coin_of_three(chance: Random, _n: int) -> bool:
    return chance.random() < 1 / 3


def leftmost(chance: Random, n: int) -> bool:
    _, shown = wanted(n, str(SEED))
    return (shown == "left") == (chance.random() < LEFT)


def like(answers: Sequence[bool]) -> Play:
    return lambda chance, _n: chance.choice(answers)


def halves(mine: Sequence[bool]) -> tuple[Sequence[bool], Sequence[bool]]:
    return mine[0::2], mine[1::2]


def share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0


@dataclass(frozen=True)
class Found:
    """Of one sort of annotator: how many are paused at each share that is needed, and after how much gold."""

    who: str
    right: float
    paused: dict[int, float]
    after: dict[int, float | None]
    within: dict[int, float]
    """Of SHOWN, by the number of gold answers."""


def played(who: str, plays: Sequence[Play], right: float) -> Found:
    paused, after, within = {}, {}, {}
    for needed in NEEDED:
        chance = Random(SEED)
        ends = [paused_at(plays[run % len(plays)], chance, needed) for run in range(max(RUNS, len(plays)))]
        caught = [end for end in ends if end is not None]
        paused[needed], after[needed] = len(caught) / len(ends), median(caught) if caught else None
        if needed == SHOWN:
            within = {look: sum(end <= look for end in caught) / len(ends) for look in LOOKS}
    return Found(who, right, paused, after, within)


def careful(crowd: Crowd) -> Iterator[Found]:
    known = {who: mine for who, mine in crowd.people.items() if len(mine) >= FEWEST}
    everybody = list(known.values())
    if not everybody:
        return
    yield played(f"{crowd.name}: all {len(known)}", [like(mine) for mine in everybody], mean(everybody))
    good = [test for told, test in map(halves, everybody) if share(told) >= GOOD]
    if good:
        yield played(f"{crowd.name}: the {len(good)} careful", [like(mine) for mine in good], mean(good))


def mean(people: Sequence[Sequence[bool]]) -> float:
    return sum(map(share, people)) / len(people)


def planted(crowds: Sequence[Crowd]) -> Iterator[Found]:
    yield played("a coin between two", [by_coin], 0.5)
    yield played("a coin among first, second and tie", [by_coin_of_three], 1 / 3)
    yield played("left, 19 times of 20", [leftmost], 0.5)
    for crowd in crowds:
        if crowd.model:
            yield played(f"copies {crowd.copies}", [like(crowd.model)], share(crowd.model))


def table(found: Sequence[Found], of: str) -> str:
    head = ["Who", "Right", *(f"{needed} %" for needed in NEEDED)]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for one in found:
        cells = [f"{100 * one.paused[needed]:.1f} %" + ends(one.after[needed]) for needed in NEEDED]
        lines.append([one.who, f"{100 * one.right:.0f} %", *cells])
    return f"{of}\n\n" + "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def over_time(found: Sequence[Found]) -> str:
    head = ["Who", *(str(look) for look in LOOKS)]
    lines = [head, ["---", *["---:"] * len(LOOKS)]]
    lines += [[one.who, *(f"{100 * one.within[look]:.1f} %" for look in LOOKS)] for one in found]
    told = f"Paused within so many gold answers, where {SHOWN} % are needed"
    return f"{told}\n\n" + "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def ends(after: float | None) -> str:
    return "" if after is None else f" ({after:.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.careless", description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("TOUCHSTONE_DATA"), help="TOUCHSTONE_DATA")
    asked = parser.parse_args()
    crowds = []
    if asked.data and Path(asked.data).is_dir():
        crowds = [make(Path(asked.data)) for make in (arguments, answers, entailment)]
    else:
        print("NOT RUN: careful annotators and models (no real data at TOUCHSTONE_DATA)\n")
    careless, real = list(planted(crowds)), [one for crowd in crowds for one in careful(crowd)]
    print(table(careless, f"Planted, paused within {MOST} gold answers (median of when), by the share that is needed"))
    if real:
        print("\n" + table(real, f"Real people, paused within {MOST} gold answers (median of when)"))
    print("\n" + over_time([*careless, *real]))


if __name__ == "__main__":
    main()
