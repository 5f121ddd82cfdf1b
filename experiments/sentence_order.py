"""Faithful, a reason, correct: what a judge knows helps its verdict when it is said before it.

Planted: 60 entities of 4 attributes, each with a true value. A document states a value (the true one in 60 %); a
sentence copies it, states the truth, or invents. A tiny language model is first taught, behind such texts, to state
facts, to tell two values apart, and to say whether the sentence repeats the document. Whether sentences are faithful
(F) and correct (C) is then labelled for half of the entities; all figures are of the other half. The same labels, in
as many steps of `sft` and among as many of the first lessons, so that they are not forgotten, are written in three
formats: C; F, then C; F, a reason (the fact as recalled, compared with what is said), then C.

Shortcuts: "unfaithful is wrong", and "always wrong". Controls: reasons about a fact at random, and a base that never
met the entities of the test. Source: TRM, arXiv 2509.25409; world and thresholds are those of our specification, sizes
and rates were chosen on seeds 100 and 101.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean
from typing import Any

from experiments import Experiment, experiments
from experiments._language import begun, said, trained

ENTITIES, ATTRIBUTES, VALUES = 60, 4, 12
TRUE_DOCUMENTS, COPIES, TRUTHS = 0.6, 0.5, 0.3
LESSONS, LABELS, REHEARSED, HELD_OUT = 6_400, 1_200, 600, 1_000
FACTS, COMPARED = 2, 4
"""In a lesson."""
COMMON = {"max_length": 48, "weight_decay": 0.01}
BEFORE = {**COMMON, "step_tokens": 2560, "batch_tokens": 2560, "epochs": 4, "learning_rate": 5e-3}
JUDGING = {**COMMON, "step_tokens": 2048, "batch_tokens": 2048, "max_steps": 300, "learning_rate": 2e-3}
SIZES = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3}
CELLS = {"FC": (True, True), "FW": (True, False), "UC": (False, True), "UW": (False, False)}
LEAST, OVER_RULE, OVER_OTHERS, LIES_FOUND, OWN_KNOWLEDGE, CONTROL = 0.70, 0.05, 0.08, 0.50, 0.45, 0.60

Fact = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence on an attribute of an entity, what the document says of it, and what is true."""

    fact: Fact
    said: int
    document: int
    truth: int

    @property
    def faithful(self) -> bool:
        return self.said == self.document

    @property
    def correct(self) -> bool:
        return self.said == self.truth

    @property
    def text(self) -> str:
        return f"document {words(self.fact, self.document)} sentence {words(self.fact, self.said)}"


class World:
    """Which values are true, which entities are labelled, and texts drawn from that."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.truth = {(e, a): self.chance.randrange(VALUES) for e in range(ENTITIES) for a in range(ATTRIBUTES)}
        entities = self.chance.sample(range(ENTITIES), ENTITIES)
        self.labelled, self.unseen = entities[: ENTITIES // 2], entities[ENTITIES // 2 :]

    def fact(self, entities: Sequence[int]) -> Fact:
        return self.chance.choice(entities), self.chance.randrange(ATTRIBUTES)

    def value(self, *but: int) -> int:
        return self.chance.choice([value for value in range(VALUES) if value not in but])

    def claim(self, entities: Sequence[int]) -> Claim:
        fact = self.fact(entities)
        truth = self.truth[fact]
        document = truth if self.chance.random() < TRUE_DOCUMENTS else self.value(truth)
        drawn = self.chance.random()
        said = document if drawn < COPIES else truth if drawn < COPIES + TRUTHS else self.value(document, truth)
        return Claim(fact, said, document, truth)

    def lesson(self, entities: Sequence[int]) -> dict[str, Any]:
        """What the base is taught to tell: facts, values compared, and whether the sentence repeats the document."""
        claim = self.claim(entities)
        facts = [claim.fact, *(self.fact(entities) for _ in range(FACTS - 1))]
        told = [f"fact {words(fact, self.truth[fact])}" for fact in facts] + [self.compared() for _ in range(COMPARED)]
        told.append(f"repeats {same(claim.faithful)}")
        self.chance.shuffle(told)
        return row(f"{claim.text} tell", " ".join(told))

    def compared(self) -> str:
        one = self.value()
        return comparison(one, one if self.chance.random() < 0.5 else self.value(one))


def words(fact: Fact, value: int) -> str:
    return f"e{fact[0]} a{fact[1]} v{value}"


def comparison(one: int, other: int) -> str:
    return f"v{one} v{other} {same(one == other)}"


def same(held: bool) -> str:
    return "same" if held else "other"


def row(asked: str, told: str) -> dict[str, Any]:
    return {"prompt": said(asked, "user"), "completion": said(told)}


def yes(held: bool) -> str:
    return "yes" if held else "no"


# --- The formats ------------------------------------------------------------------------------------


def only_correct(claim: Claim, world: World) -> str:
    return f"correct {yes(claim.correct)}"


def two_stages(claim: Claim, world: World) -> str:
    return f"faithful {yes(claim.faithful)} {only_correct(claim, world)}"


def reasoned(claim: Claim, world: World) -> str:
    return with_reason(claim, world, claim.fact)


def at_random(claim: Claim, world: World) -> str:
    return with_reason(claim, world, world.fact(range(ENTITIES)))


def with_reason(claim: Claim, world: World, fact: Fact) -> str:
    """Faithful, then a true fact and how the value that the sentence states compares to it, then correct."""
    truth = world.truth[fact]
    reason = f"fact {words(fact, truth)} {comparison(truth, claim.said)}"
    return f"faithful {yes(claim.faithful)} {reason} {only_correct(claim, world)}"


Format = Callable[[Claim, World], str]
FORMATS: dict[str, Format] = {"C": only_correct, "F C": two_stages, "F R C": reasoned}


# --- One seed ---------------------------------------------------------------------------------------


def run(seed: int) -> dict[str, Any]:
    """Balanced accuracy, F1 of wrong sentences, the four cells and what was recalled, by format, and the controls."""
    world = World(seed)
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        names = [
            f"{kind}{n}" for kind, many in zip("eav", (ENTITIES, ATTRIBUTES, VALUES), strict=True) for n in range(many)
        ]
        names += [
            "document",
            "sentence",
            "tell",
            "judge",
            "repeats",
            "fact",
            "same",
            "other",
            "faithful",
            "correct",
            "yes",
            "no",
        ]
        start = begun(folder / "start", names, seed, **SIZES)
        rows = [world.claim(world.labelled) for _ in range(LABELS)]
        held = [world.claim(world.unseen) for _ in range(HELD_OUT)]

        def taught(name: str, entities: Sequence[int]) -> Path:
            lessons = [world.lesson(entities) for _ in range(LESSONS)]
            return trained(folder / name, "sft", start, lessons, seed, **BEFORE)[0]

        def judge_of(name: str, base: Path, told: Format, entities: Sequence[int] = range(ENTITIES)) -> Path:
            some = [row(f"{claim.text} judge", told(claim, world)) for claim in rows]
            some += [world.lesson(entities) for _ in range(REHEARSED)]
            return trained(folder / name, "sft", base, some, seed, **JUDGING)[0]

        told |= shortcuts(held)
        base = taught("base", range(ENTITIES))
        told["base: recall"] = recall(base, held)
        for name, way in FORMATS.items():
            told |= {f"{name}: {what}": value for what, value in judged(judge_of(name, base, way), held).items()}
        told["random reason: balanced"] = judged(judge_of("random", base, at_random), held)["balanced"]
        stranger = taught("stranger", world.labelled)
        told["never met: base: recall"] = recall(stranger, held)
        model = judge_of("never met", stranger, reasoned, world.labelled)
        told["never met: balanced"] = judged(model, held)["balanced"]
        met = [world.claim(world.labelled) for _ in range(HELD_OUT)]
        told["never met, labelled entities: F1"] = judged(model, met)["F1"]
    return told


def shortcuts(claims: Sequence[Claim]) -> dict[str, float]:
    """What taking unfaithful for wrong gives, by true labels of F, and what saying "wrong" always does."""
    rule = scored(claims, [claim.faithful for claim in claims])
    always = scored(claims, [False] * len(claims))
    return {
        "wrong": fmean(not claim.correct for claim in claims),
        "rule: balanced": rule["balanced"], "rule: F1": rule["F1"], "always wrong: F1": always["F1"],
    }  # fmt: skip


def judged(model: Path, claims: Sequence[Claim]) -> dict[str, float]:
    """The figures of what a model writes (greedily) about sentences; what names no verdict counts as wrong."""
    texts = written(model, [f"{claim.text} judge" for claim in claims], 10)
    told = scored(claims, [f"correct {yes(True)}" in text for text in texts])
    if any("faithful" in text for text in texts):
        told["F right"] = fmean(
            f"faithful {yes(claim.faithful)}" in text for claim, text in zip(claims, texts, strict=True)
        )
    if any("fact" in text for text in texts):
        told["recall"] = fmean(
            f"fact {words(claim.fact, claim.truth)}" in text for claim, text in zip(claims, texts, strict=True)
        )
    return told


def recall(model: Path, claims: Sequence[Claim]) -> float:
    """How often a model that reads document and sentence names the true value."""
    texts = written(model, [f"{claim.text} tell fact e{claim.fact[0]} a{claim.fact[1]}" for claim in claims], 1)
    return fmean(text == f"v{claim.truth}" for claim, text in zip(claims, texts, strict=True))


def written(model: Path, prompts: Sequence[str], tokens: int) -> list[str]:
    """What a model writes after prompts of equal length, likeliest token by token."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded, tokenizer = AutoModelForCausalLM.from_pretrained(model).eval(), AutoTokenizer.from_pretrained(model)
    ids = torch.tensor(tokenizer(list(prompts))["input_ids"])
    start = ids.shape[1]
    with torch.no_grad():
        for _ in range(tokens):
            ids = torch.cat([ids, loaded(input_ids=ids).logits[:, -1:].argmax(-1)], 1)
    return [str(tokenizer.decode(one[start:])).partition("</s>")[0].strip() for one in ids]


def scored(claims: Sequence[Claim], said: Sequence[bool]) -> dict[str, float]:
    """Of verdicts "correct": balanced accuracy, F1 of wrong sentences, and the share that is right in each cell."""
    both = list(zip(claims, said, strict=True))
    found = {
        name: fmean(
            verdict == correct for claim, verdict in both if (claim.faithful, claim.correct) == (faithful, correct)
        )
        for name, (faithful, correct) in CELLS.items()
    }
    right = fmean(verdict for claim, verdict in both if claim.correct)
    caught = fmean(not verdict for claim, verdict in both if not claim.correct)
    wrong = sum(not claim.correct for claim in claims)
    hits = caught * wrong
    f1 = 2 * hits / (said.count(False) + wrong) if wrong else 0.0
    return {"balanced": (right + caught) / 2, "F1": f1, **found}


# --- All seeds --------------------------------------------------------------------------------------


def interval(results: Sequence[Mapping[str, Any]], name: str) -> str:
    """The mean of a balanced accuracy over seeds, with the normal interval of its two shares over all sentences."""
    value = fmean(one[name] for one in results)
    n = HELD_OUT * len(results)
    bad = fmean(one["wrong"] for one in results)
    width = 1.96 * sqrt(value * (1 - value) * (1 / (bad * n) + 1 / ((1 - bad) * n))) / 2
    return f"{value:.3f} (95 % interval {value - width:.3f} to {value + width:.3f} over {n} sentences)"


def judge(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    def least(name: str, *less: str) -> float:
        return min(one[name] - max((one[other] for other in less), default=0.0) for one in results)

    def most(name: str) -> float:
        return max(one[name] for one in results)

    ours = "F R C: balanced"
    over, others = least(ours, "rule: balanced"), least(ours, "C: balanced", "F C: balanced")
    lies, own = least("F R C: FW"), least("F R C: UC")
    controls = {name: most(f"{name}: balanced") for name in ("random reason", "never met")}
    return [
        (f"F, reason, C: {interval(results, ours)}; at least {least(ours):.3f} (>= {LEAST})", least(ours) >= LEAST),
        (f'it is better than the rule "unfaithful is wrong" by {over:.3f} or more (>= {OVER_RULE})', over >= OVER_RULE),
        (f"and than the other formats by {others:.3f} or more (>= {OVER_OTHERS})", others >= OVER_OTHERS),
        (
            f"it finds lies of documents ({lies:.3f} or more, >= {LIES_FOUND}) and lets pass what is true without them "
            f"({own:.3f} or more, >= {OWN_KNOWLEDGE})",
            lies >= LIES_FOUND and own >= OWN_KNOWLEDGE,
        ),
        *(
            (f"{name}: {interval(results, f'{name}: balanced')}; at most {value:.3f} (<= {CONTROL})", value <= CONTROL)
            for name, value in controls.items()
        ),
    ]


experiments.add(
    Experiment(
        name="sentence-order",
        about="Whether a sentence is faithful, a reason, whether it is correct: in this order, beside both shortcuts.",
        run=run,
        judge=judge,
    )
)
