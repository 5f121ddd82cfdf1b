"""The attack that is run against every new detector of machine-written texts, so that its limits stand beside it.

After "Stochastic Parrots Looking for Stochastic Parrots", small: the attacker has half of the people's texts and the
detector's answers. Its generator is a chain of words (each word drawn from what followed the last two), so that the
attack runs in seconds on one processor. Rounds:

1. as it is: the chain of the models' own texts;
2. reference: the same chain, tuned on the people's texts that the attacker has;
3. critic, ROUNDS times: texts are drawn, weighted by 4 max(0, p - mean p) with p the chance of a person that the
   detector gives, the reference by one half, and the chain is made anew of them;
4. best of N_BEST drawn texts each, by the detector.

After each the detector is asked again, and one that was trained anew on the attacker's texts, rightly labelled.
Simplified: a chain of words instead of a language model, so texts make no sense to a reader; what is shown is what the
detector can tell, not what a person can.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from random import Random

from workers.habits.origin import Detector, Written, apart, auc, fitted, rates, tells
from workers.intervals import Share

ROUNDS = 3
N_BEST = 8
MOST_TEXTS = 200
"""So many texts are drawn in each round, at most: as many as there are held-out texts of people."""
PIECES = re.compile(r"\S+\s*")
NAIVE_BELOW = 0.75
"""A detector with a smaller AUC under the reference attack is for texts of people who do not try."""


@dataclass(frozen=True, slots=True)
class Evaded:
    """How the detector, and one trained anew, do on the texts of one round."""

    attack: str
    auc: float
    caught: Share
    auc_retrained: float


class Chain:
    """Which word follows two others, and how often; weights add up."""

    def __init__(self) -> None:
        self.after: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)

    def learn(self, text: str, weight: float) -> None:
        before = ("", "")
        for piece in [*PIECES.findall(text), ""]:
            follows = self.after[before]
            follows[piece] = follows.get(piece, 0.0) + weight
            before = (before[1], piece)

    def draw(self, chance: Random, most: int) -> str:
        said: list[str] = []
        before = ("", "")
        while len(said) < most:
            follows = self.after.get(before)
            piece = chance.choices([*follows], [*follows.values()])[0] if follows else ""
            if not piece:
                break
            said.append(piece)
            before = (before[1], piece)
        return "".join(said)


def attacked(detector: Detector, texts: Sequence[Written], *, seed: int = 0) -> list[Evaded]:
    """What each round of the attack does to a detector that was trained on `texts` with the same `seed`."""
    chance = Random(seed)
    kept = [one for one in texts if tells(one.text)]
    learned, held = apart(kept, seed)
    reference = [one.text for one in learned if not one.machine]
    chance.shuffle(reference)
    theirs = reference[: max(1, len(reference) // 2)]
    judged_on = [one.text for one in held if not one.machine][:MOST_TEXTS]
    machine = [one.text for one in learned if one.machine]
    longest = max(len(PIECES.findall(text)) for text in [*machine, *reference])
    wanted = len(judged_on)

    def told(attack: str, drawn: Sequence[str]) -> Evaded:
        return measured(attack, detector, judged_on, drawn, reference)

    chain = Chain()
    for text in machine:
        chain.learn(text, 1.0)
    found = [told("none", draws(chain, chance, wanted, longest))]
    chain = Chain()
    for text in machine:
        chain.learn(text, 0.02)
    for text in theirs:
        chain.learn(text, 1.0)
    found.append(told("reference", draws(chain, chance, wanted, longest)))
    for turn in range(1, ROUNDS + 1):
        chain = criticised(detector, theirs, draws(chain, chance, 2 * wanted, longest))
        found.append(told(f"critic {turn}", draws(chain, chance, wanted, longest)))
    many = draws(chain, chance, wanted * N_BEST, longest)
    odds = odds_of(detector, many)
    best = [many[min(range(n, len(many), wanted), key=odds.__getitem__)] for n in range(min(wanted, len(many)))]
    found.append(told(f"best of {N_BEST}", best))
    return found


def draws(chain: Chain, chance: Random, wanted: int, longest: int) -> list[str]:
    """So many texts that are long enough to be told, as far as the chain makes them."""
    found: list[str] = []
    for _ in range(wanted * 20):
        if len(found) == wanted:
            break
        text = chain.draw(chance, longest)
        if tells(text):
            found.append(text)
    return found


def criticised(detector: Detector, theirs: Sequence[str], drawn: Sequence[str]) -> Chain:
    """The chain of what the detector took for a person's, and of the reference."""
    human = [1 / (1 + exp(min(50.0, odds))) for odds in odds_of(detector, drawn)]
    usual = sum(human) / max(1, len(human))
    chain = Chain()
    for text in theirs:
        chain.learn(text, 0.5)
    for text, p in zip(drawn, human, strict=True):
        if p > usual:
            chain.learn(text, 4 * (p - usual))
    return chain


def odds_of(detector: Detector, texts: Sequence[str]) -> list[float]:
    return [float(value) for value in detector.model.decision_function(list(texts))] if texts else []


def measured(
    attack: str, detector: Detector, people: Sequence[str], drawn: Sequence[str], reference: Sequence[str]
) -> Evaded:
    """The old detector on people's held-out texts and the drawn ones, and a new one trained on half of the drawn."""
    machine = [False] * len(people) + [True] * len(drawn)
    odds = odds_of(detector, [*people, *drawn])
    held = rates(odds, machine, detector.threshold)
    half = len(drawn) // 2
    again = fitted([*reference, *drawn[:half]], [False] * len(reference) + [True] * half)
    later = [float(value) for value in again.decision_function([*people, *drawn[half:]])]
    return Evaded(attack, held.auc, held.caught, auc(later, [False] * len(people) + [True] * (len(drawn) - half)))
