"""A small model that adds modulo 23 without an error, and judges of its answers that see it think or see it speak.

Self-reference in a world where the truth is known (Self-Reference AI Feedback, arXiv 2406.11190): the knowledge is in
the model's hidden state either way. A judge scores a candidate by a small network over the hidden state, the candidate,
what the model itself answered, and where the two are the same, as attention from one token to another tells; it learns
from compared candidates of sums that are not those it is tested on. Without an own answer its place is empty; shuffled
ones are those of other sums. A `reader` is a stronger judge of hidden states: it has a bilinear form of state and
candidate besides, which is what the model itself reads its answer with.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

MODULUS, HIDDEN, WIDTH = 23, 64, 64
LEARNT, TESTED = 400, 2000
"""Sums whose comparisons are learnt from (of 529), and comparisons of the others that are tested."""
STEPS, RATE, DECAY = 200, 1e-2, 1e-2
Own = Literal["none", "own", "shuffled"]


@lru_cache(maxsize=1)
def adder(seed: int) -> tuple[Any, Any]:
    """The hidden states of all 529 sums, standardised, and what the model answers. Raises RuntimeError if it errs."""
    import torch
    from torch.nn.functional import cross_entropy, one_hot

    torch.manual_seed(seed)
    a, b = torch.meshgrid(torch.arange(MODULUS), torch.arange(MODULUS), indexing="ij")
    asked = torch.cat([one_hot(a.flatten(), MODULUS), one_hot(b.flatten(), MODULUS)], 1).float()
    right = (a + b).flatten() % MODULUS
    first, last = torch.nn.Linear(2 * MODULUS, HIDDEN), torch.nn.Linear(HIDDEN, MODULUS)
    optimizer = torch.optim.Adam([*first.parameters(), *last.parameters()], lr=2e-2)
    for _ in range(400):
        optimizer.zero_grad()
        cross_entropy(last(first(asked).relu()), right).backward()
        optimizer.step()
    with torch.no_grad():
        hidden = first(asked).relu()
        answers = last(hidden).argmax(1)
    if (answers != right).any():
        raise RuntimeError(f"the model gets {int((answers != right).sum())} of {len(right)} sums wrong")
    return (hidden - hidden.mean(0)) / (hidden.std(0) + 1e-6), answers


def accuracy(seed: int, labels: int, own: Own, *, reader: bool = False) -> float:
    """Of a judge that learnt from so many comparisons, on comparisons of sums that it never saw."""
    import torch
    from torch.nn.functional import one_hot, softplus

    hidden, answers = adder(seed)
    draw = torch.Generator().manual_seed(seed)
    sums = torch.randperm(MODULUS**2, generator=draw)

    def compared(among: Any, count: int) -> tuple[Any, Any, Any, Any]:
        """Hidden states, own answers, right candidates and wrong ones."""
        chosen = among[torch.randint(0, len(among), (count,), generator=draw)]
        right = answers[chosen]
        wrong = (right + torch.randint(1, MODULUS, (count,), generator=draw)) % MODULUS
        said = right[torch.randperm(count, generator=draw)] if own == "shuffled" else right
        told = one_hot(said, MODULUS).float() * (own != "none")
        return hidden[chosen], told, one_hot(right, MODULUS).float(), one_hot(wrong, MODULUS).float()

    learnt, tested = compared(sums[:LEARNT], labels), compared(sums[LEARNT:], TESTED)
    torch.manual_seed(seed)
    form = torch.nn.Parameter(torch.zeros(HIDDEN, MODULUS))
    network = torch.nn.Sequential(
        torch.nn.Linear(HIDDEN + 3 * MODULUS, WIDTH), torch.nn.ReLU(), torch.nn.Linear(WIDTH, 1, bias=False)
    )

    def score(state: Any, told: Any, candidate: Any) -> Any:
        by_network = network(torch.cat([state, candidate, told, told * candidate], 1))[:, 0]
        return by_network + ((state @ form) * candidate).sum(1) if reader else by_network

    optimizer = torch.optim.AdamW([form, *network.parameters()], lr=RATE, weight_decay=DECAY)
    for _ in range(STEPS):
        optimizer.zero_grad()
        state, told, right, wrong = learnt
        softplus(score(state, told, wrong) - score(state, told, right)).mean().backward()
        optimizer.step()
    with torch.no_grad():
        state, told, right, wrong = tested
        return float((score(state, told, right) > score(state, told, wrong)).float().mean())
