"""Pairs dropped by lot until what should not tell which response is preferred does not tell it.

Where the longer response is preferred in 70 % of the pairs, a reward model learns length (Singhal et al. 2023, A Long
Way to Go, https://arxiv.org/abs/2310.03716). Dropping of the larger side as many as it has more leaves 50 %. The same
is done for each two families of models, of which one else wins whatever it says; and of sources only as many pairs are
left of each as the smallest has.

What is dropped follows from the seed and the order of the rows: two walks, with one counter a group in memory.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Literal

from pydantic import Field

from workers.curating import Aid, Curator, Proposal, Row, Settings, curators

LETTERS = re.compile(r"[^\W\d_]+")
Side = tuple[str, str]
"""A group that is balanced, and the side of it: of length `longer` or `shorter`."""


class BalanceSettings(Settings):
    by: Literal["length", "model", "source"] = Field(
        default="length",
        title="Balanced by",
        description="length: the longer is preferred as often as the shorter; model: of two families each wins as "
        "often; source: as many pairs of each",
    )
    tolerance: float = Field(
        default=0.0, ge=0, lt=1, title="Tolerance", description="the larger side may have so much more of the smaller"
    )
    characters: int = Field(
        default=0, ge=0, title="About as long", description="responses whose lengths differ by no more count as equal"
    )


def propose(rows: Iterable[Row], params: BalanceSettings, aid: Aid) -> Iterator[Proposal]:
    counts = Counter(side for row in rows if (side := side_of(row, params)))
    wanted = most_of(counts, params)
    left, most = dict(counts), dict(wanted)
    for row in rows:
        side = side_of(row, params)
        if side is None:
            continue
        if most[side] < counts[side] and not takes(side, left, wanted, aid.seed):
            share = 1 - most[side] / counts[side]
            yield Proposal(row.subject, "drop", share, in_words(side, counts, params), f"balanced by {params.by}")


def side_of(row: Row, params: BalanceSettings) -> Side | None:
    """The group and side of a pair; None where it is on no side."""
    if not row.labelled:
        return None
    if params.by == "source":
        return "", row.source
    if params.by == "length":
        more = len(row.chosen.text) - len(row.rejected.text)
        return None if abs(more) <= params.characters else ("", "longer" if more > 0 else "shorter")
    winner, loser = family(row.chosen.model), family(row.rejected.model)
    if not winner or not loser or winner == loser:
        return None
    return " and ".join(sorted((winner, loser))), winner


def family(model: str) -> str:
    """The family in a model's name: its first word behind the owner, such as `llama` of `meta-llama/Llama-3-8B`."""
    found = LETTERS.search(model.rsplit("/", 1)[-1])
    return found[0].casefold() if found else ""


def most_of(counts: Counter[Side], params: BalanceSettings) -> dict[Side, int]:
    """How many of each side are left: as many as the smallest of its group, and the tolerance. A side that never wins
    has none, and its group is left alone: nothing could balance it but dropping all."""
    groups: dict[str, list[int]] = {}
    for (group, _), n in counts.items():
        groups.setdefault(group, []).append(n)
    return {
        side: min(n, int(min(groups[side[0]]) * (1 + params.tolerance))) if len(groups[side[0]]) > 1 else n
        for side, n in counts.items()
    }


def takes(side: Side, left: dict[Side, int], wanted: dict[Side, int], seed: int) -> bool:
    """Whether the next of a side stays: each as likely as the others, and in the end just as many as are wanted."""
    digest = blake2b(f"{seed}:{side}:{left[side]}".encode(), digest_size=8).digest()
    taken = int.from_bytes(digest, "big") % left[side] < wanted[side]
    left[side] -= 1
    wanted[side] -= taken
    return taken


def in_words(side: Side, counts: Counter[Side], params: BalanceSettings) -> str:
    group, name = side
    total = sum(n for (its, _), n in counts.items() if its == group)
    if params.by == "source":
        return f"{counts[side]} of {total} pairs are of the source {name or 'without a name'}"
    what = f"the {name} response" if params.by == "length" else f"{name} (of {group})"
    return f"{what} is preferred in {counts[side]} of {total} pairs"


curators.add(
    Curator(
        name="balance",
        title="Balance",
        about="Drops pairs by lot until the longer response, or one family of models, is preferred in half of them.",
        propose=propose,
        params=BalanceSettings,
        paper="https://arxiv.org/abs/2310.03716",
        needs=frozenset({"metadata"}),
    )
)
