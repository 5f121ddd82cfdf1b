"""The detector of machine-written texts, and the attack that escapes it: on planted voices and on real answers."""

from __future__ import annotations

import gzip
from pathlib import Path
from random import Random

import orjson
import pytest

from workers.habits.evading import NAIVE_BELOW, attacked
from workers.habits.origin import Written, trained

COMMON = "the a of to and in is it that for was on with as this but not are from or have an they which"
PEOPLE = "honestly wrong here maybe guess kinda missed weird looks off because nobody checks numbers again"
MACHINES = "overall response demonstrates furthermore comprehensive clarity accurate additionally ensures context"


def voices(items: int, *, seed: int = 0) -> list[Written]:
    """Critiques of people and of models on the same items: common words, and of their own every third."""
    chance = Random(seed)

    common = COMMON.split()

    def text(own: list[str]) -> str:
        words = [chance.choice(own if chance.random() < 0.3 else common) for _ in range(chance.randrange(45, 80))]
        return " ".join(words)

    return [
        Written(n, text((MACHINES if machine else PEOPLE).split()), machine)
        for n in range(items)
        for machine in (False, True)
    ]


def test_a_detector_says_how_often_it_errs_on_items_it_has_not_seen() -> None:
    detector = trained(voices(120))
    assert detector.rates.auc > 0.98
    assert detector.rates.caught.n == detector.rates.accused.n == 36
    assert detector.rates.accused.count == 0
    short, person, machine = detector.log_odds(["too short to tell", *[one.text for one in voices(1, seed=9)]])
    assert short is None and person is not None and machine is not None and person < machine


def test_too_little_to_learn_from_is_said_with_the_numbers() -> None:
    with pytest.raises(ValueError, match=r"10 texts of people and 10 of models have 40 words or more; 40 of each"):
        trained(voices(10))
    people = [Written(n, one.text, False) for n, one in enumerate(voices(60)) if not one.machine]
    machines = [Written(1_000, one.text, True) for one in voices(60) if one.machine]
    with pytest.raises(ValueError, match="too few items"):
        trained([*people, *machines])


def test_whoever_tunes_against_the_detector_escapes_it() -> None:
    texts = voices(120)
    detector = trained(texts)
    none, reference, *critic, best = attacked(detector, texts)
    assert none.auc > 0.95 and none.attack == "none"
    assert reference.auc < NAIVE_BELOW and reference.caught.share is not None and reference.caught.share < 0.2
    assert all(one.auc < NAIVE_BELOW for one in critic)
    assert best.auc <= min(reference.auc, critic[-1].auc) + 0.05
    assert attacked(detector, texts) == [none, reference, *critic, best]


@pytest.mark.data
def test_on_real_answers_the_detector_is_nearly_sure_until_it_is_attacked(real_data: Path) -> None:
    texts = []
    with gzip.open(real_data / "span_haluquestqa" / "annotations.jsonl.gz") as file:
        by_question = {row["question"]: row for row in map(orjson.loads, file)}
    for n, row in enumerate(list(by_question.values())[:150]):
        texts += [Written(n, row[f"response_{side}"], row[f"author_{side}"] == "model_answer") for side in "ab"]
    detector = trained(texts)
    assert detector.rates.auc > 0.95
    none, reference, *_ = attacked(detector, texts)
    assert none.auc > 0.95 and reference.auc < 0.6
