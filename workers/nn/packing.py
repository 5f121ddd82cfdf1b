"""Sequences laid end to end in one row without padding; those that begin alike may share their beginning.

A pack is a list of groups. A group is a shared prefix (perhaps empty) followed by its branches: the row holds the
prefix once and then what each branch has of its own. Positions of every branch go on where the prefix ended, and
attention lets a branch see the prefix and itself: the numbers are those of the whole sequence read alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

WORTH_SHARING = 8
"""A shared prefix shorter than this is not worth a group of its own."""


@dataclass(slots=True, eq=False)
class Text:
    """One conversation with its response, as tokens. `item` and `at` are its place in the order given."""

    key: int
    item: int
    ids: list[int]
    types: list[int] | None = None
    truncated: bool = False
    offsets: list[tuple[int, int]] | None = None
    """Of each token, its [start, end) in code points of the response; (-1, -1) for tokens of the prompt or template."""
    at: int = 0

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(slots=True, eq=False)
class Group:
    """Texts that share their first `prefix` tokens; `prefix` is 0 for a text alone."""

    prefix: int
    texts: list[Text]

    @property
    def tokens(self) -> int:
        """Tokens that the row must hold."""
        return self.prefix + sum(len(text) - self.prefix for text in self.texts)

    @property
    def longest(self) -> int:
        return max(len(text) for text in self.texts)


@dataclass(slots=True, eq=False)
class Branch:
    """Where one text lies in the row: its shared tokens [head, head + prefix), its own [start, end)."""

    head: int
    prefix: int
    start: int
    end: int

    @property
    def first(self) -> int:
        return self.head if self.prefix else self.start

    @property
    def last(self) -> int:
        return self.end - 1

    def __len__(self) -> int:
        return self.prefix + self.end - self.start


@dataclass(slots=True, eq=False)
class Pack:
    """Groups in one row of `total` tokens; `texts[i]` lies at `branches[i]`."""

    groups: list[Group]
    texts: list[Text] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)
    total: int = 0

    def __post_init__(self) -> None:
        for group in self.groups:
            head = self.total
            self.total += group.prefix
            for text in group.texts:
                own = len(text) - group.prefix
                self.texts.append(text)
                self.branches.append(Branch(head, group.prefix, self.total, self.total + own))
                self.total += own

    def ids(self) -> Tensor:
        return torch.tensor([self.flat(lambda text: text.ids)])

    def types(self) -> Tensor:
        return torch.tensor([self.flat(lambda text: text.types or [0] * len(text))])

    def positions(self, start: int = 0) -> Tensor:
        """[1, T], counted anew for each group from `start`; a branch goes on after its prefix."""
        flat: list[int] = []
        for group in self.groups:
            flat.extend(range(start, start + group.prefix))
            for text in group.texts:
                flat.extend(range(start + group.prefix, start + len(text)))
        return torch.tensor([flat])

    def flat(self, take: Callable[[Text], list[int]]) -> list[int]:
        out: list[int] = []
        for group in self.groups:
            if group.prefix:
                out.extend(take(group.texts[0])[: group.prefix])
            for text in group.texts:
                out.extend(take(text)[group.prefix :])
        return out

    def rows(self, index: int) -> Tensor:
        """Places in the row of all tokens of `texts[index]`, in their order."""
        branch = self.branches[index]
        own = torch.arange(branch.start, branch.end)
        if not branch.prefix:
            return own
        return torch.cat([torch.arange(branch.head, branch.head + branch.prefix), own])


def common(texts: Sequence[Text]) -> int:
    """How many first tokens all texts share, at least one token of each left out."""
    most = min(len(text) for text in texts) - 1
    first = texts[0].ids
    for text in texts[1:]:
        ids = text.ids
        if first[:most] == ids[:most]:
            continue
        low, high = 0, most
        while low < high:
            middle = (low + high + 1) // 2
            if first[:middle] == ids[:middle]:
                low = middle
            else:
                high = middle - 1
        most = low
    return max(most, 0)


def grouped(texts: Iterable[Text], *, share: bool) -> Iterator[Group]:
    """Texts of one item together where they share enough; each alone otherwise. Texts of an item are neighbours."""
    held: list[Text] = []
    for text in texts:
        if held and held[0].item != text.item:
            yield from shared(held) if share else alone(held)
            held = []
        held.append(text)
    if held:
        yield from shared(held) if share else alone(held)


def alone(texts: Iterable[Text]) -> Iterator[Group]:
    for text in texts:
        yield Group(0, [text])


def shared(texts: list[Text]) -> Iterator[Group]:
    if len(texts) > 1 and (prefix := common(texts)) >= WORTH_SHARING:
        yield Group(prefix, texts)
    else:
        yield from alone(texts)


def packs(groups: Iterable[Group], budget: int) -> Iterator[list[Group]]:
    """Groups, longest first, in lists of at most `budget` tokens each; a group larger than that goes alone."""
    held: list[Group] = []
    size = 0
    for group in sorted(groups, key=lambda one: -one.longest):
        if held and size + group.tokens > budget:
            yield held
            held, size = [], 0
        held.append(group)
        size += group.tokens
    if held:
        yield held


def padded(groups: Iterable[Group], budget: int) -> Iterator[list[Group]]:
    """Texts alone, longest first, in lists whose padded rectangle holds at most `budget` tokens."""
    held: list[Group] = []
    texts = sorted((text for group in groups for text in group.texts), key=lambda one: -len(one))
    for text in texts:
        if held and held[0].longest * (len(held) + 1) > budget:
            yield held
            held = []
        held.append(Group(0, [text]))
    if held:
        yield held


def halves(groups: list[Group]) -> list[list[Group]]:
    """A list of groups in two, a group of several texts in its texts; empty for a single text."""
    if len(groups) > 1:
        middle = len(groups) // 2
        return [groups[:middle], groups[middle:]]
    texts = groups[0].texts
    if len(texts) > 1:
        return [[Group(0, [text])] for text in texts]
    return []
