"""The experiment on F, a reason, C: labels say what its world holds, formats what labels say, figures what was told."""

from __future__ import annotations

import pytest

from experiments import sentence_order
from experiments.sentence_order import FORMATS, Claim, World, at_random, scored, shortcuts


def test_entities_of_the_test_have_no_labels_and_every_cell_is_drawn() -> None:
    world = World(0)
    assert not set(world.labelled) & set(world.unseen)
    claims = [world.claim(world.unseen) for _ in range(4000)]
    assert {claim.fact[0] for claim in claims} == set(world.unseen)
    assert all(claim.truth == world.truth[claim.fact] for claim in claims)
    shares = {
        (f, c): sum((one.faithful, one.correct) == (f, c) for one in claims) / 4000 for f in (0, 1) for c in (0, 1)
    }
    assert shares == pytest.approx({(1, 1): 0.48, (1, 0): 0.2, (0, 1): 0.12, (0, 0): 0.2}, abs=0.03)


def test_formats_differ_in_what_stands_before_the_verdict() -> None:
    world = World(0)
    world.truth[3, 1] = 7
    claim = Claim((3, 1), said=5, document=5, truth=7)
    assert claim.text == "document e3 a1 v5 sentence e3 a1 v5"
    assert {name: told(claim, world) for name, told in FORMATS.items()} == {
        "C": "correct no",
        "F C": "faithful yes correct no",
        "F R C": "faithful yes fact e3 a1 v7 v7 v5 other correct no",
    }
    random = at_random(claim, world).split()
    assert len(random) == len(FORMATS["F R C"](claim, world).split()) and random[-1] == "no"


def test_figures_of_verdicts_as_counted_by_hand() -> None:
    claims = [
        Claim((0, 0), said, document, truth)
        for said, document, truth in [(1, 1, 1), (1, 1, 1), (2, 2, 1), (1, 2, 1), (3, 2, 1)]
    ]
    told = scored(claims, [True, False, False, True, True])
    assert told == {
        "balanced": pytest.approx((2 / 3 + 1 / 2) / 2), "F1": pytest.approx(2 * 1 / (2 + 2)),
        "FC": 0.5, "FW": 1.0, "UC": 1.0, "UW": 0.0,
    }  # fmt: skip
    free = shortcuts(claims)
    assert free["wrong"] == 0.4 and free["always wrong: F1"] == pytest.approx(4 / 7)
    assert free["rule: balanced"] == pytest.approx((2 / 3 + 1 / 2) / 2)


@pytest.mark.training
def test_a_run_tells_every_figure_that_the_claims_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trl", reason="NOT RUN: trl is not installed")
    for name, value in {"LESSONS": 160, "LABELS": 80, "REHEARSED": 16, "HELD_OUT": 60}.items():
        monkeypatch.setattr(sentence_order, name, value)
    for name in ("BEFORE", "JUDGING"):
        monkeypatch.setitem(getattr(sentence_order, name), "max_steps", 2)
    told = sentence_order.run(0)
    assert {f"{name}: balanced" for name in (*FORMATS, "random reason", "never met", "rule")} <= told.keys()
    assert all(0 <= value <= 1 for value in told.values())
    claims = sentence_order.judge([told, told])
    assert len(claims) == 6 and not claims[0][1]
