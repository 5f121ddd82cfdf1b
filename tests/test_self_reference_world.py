"""The planted worlds of self-reference: what a broken aggregator would show, and recorded verdicts read by hand."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random

import orjson
import pytest

from experiments import _recorded, self_reference
from experiments._recorded import Twice, judged_twice
from experiments.self_reference import first_rate, judge, judged, of_bias
from workers.critics.voting import Round, vote


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_reference, "PAIRS", 800)


def test_both_orders_take_the_bias_away_and_one_order_does_not() -> None:
    fair, biased = of_bias(0.0, 1), of_bias(3.0, 1)
    assert fair["one order: right"] - biased["one order: right"] > 0.05
    assert biased["one order: for the first named"] > 0.8
    assert abs(biased["vote: for the first named"] - 0.5) < 0.07
    assert fair["perplexity: right"] - biased["perplexity: right"] <= 0.01
    assert biased["vote: right, of what is decided"] >= fair["vote: right, of what is decided"] - 0.02
    for told in (fair, biased):
        assert abs(told["first-position rate, planted"] - told["first-position rate, measured"]) < 0.03


def test_votes_that_forget_the_order_would_keep_the_bias() -> None:
    """The same verdicts, all rounds in one order: the label is for the first named, and the vote says so."""
    chance = Random(3)
    pairs = [judged(chance.gauss(0, 1), 3.0, chance) for _ in range(400)]
    one_order = [[r for r in one.rounds if r.first == one.rounds[0].first] for one in pairs]
    assert first_rate(pairs, [vote(rounds).side for rounds in one_order]) > 0.85


def test_recorded_verdicts_are_turned_to_the_right_response() -> None:
    def row(label: str, first: str, second: str) -> dict[str, object]:
        said = [{"judgment": {"response": f"[[A=B]] … so [[{one}]]"}, "decision": "A>B"} for one in (first, second)]
        return {"label": label, "judgments": said}

    assert judged_twice(row("A>B", "A>>B", "B>A")) == Twice(2, 1), "right both times"
    assert judged_twice(row("B>A", "A>>B", "A=B")) == Twice(-2, 0)
    assert judged_twice({"label": "A>B", "judgments": [{"decision": "A>B"}, {"decision": "A>B"}]}) == Twice(1, -1)
    assert judged_twice({"label": "A>B", "judgments": [{"decision": "A>B"}, None]}) is None


def test_figures_of_recorded_verdicts_by_hand() -> None:
    told = _recorded.figures([Twice(2, 2), Twice(1, -1), Twice(-1, -2), Twice(0, 1)])
    assert (told["first order"], told["second order"]) == ((1 + 1 + 0 + 0.5) / 4, (1 + 0 + 0 + 1) / 4)
    assert (told["first order, strict"], told["orders agree"], told["right where they agree"]) == (0.5, 0.5, 0.5)
    assert (told["decided"], told["right where decided"]) == (0.75, pytest.approx(2 / 3))
    assert told["graded sum"] == (1 + 0.5 + 0 + 1) / 4
    assert [told[f"strength {n}: pairs"] for n in range(5)] == [1, 1, 0, 1, 1]
    assert told["strength 4: right"] == 1 and told["strength 3: right"] == 0 and math.isnan(told["strength 2: right"])


def test_recorded_judges_are_read_where_they_lie(tmp_path: Path) -> None:
    assert _recorded.of_judgebench(tmp_path) == {} == _recorded.of_llmfao(tmp_path)
    outputs = tmp_path / "bench_judgebench" / "outputs"
    outputs.mkdir(parents=True)
    said = {"judgment": {"response": "[[A>B]]"}, "decision": "A>B"}
    name = "dataset=judgebench,response_model=x,judge_name=arena_hard,judge_model=o1-mini-2024-09-12.jsonl"
    (outputs / name).write_bytes(orjson.dumps({"label": "A>B", "judgments": [said, said]}))
    assert _recorded.of_judgebench(tmp_path)["o1-mini"]["orders agree"] == 0


@pytest.mark.data
def test_one_order_of_real_judges_shows_how_often_they_take_the_first(real_data: Path) -> None:
    told = _recorded.of_llmfao(real_data)
    assert set(told) > {"crowd"} and all(0 < one["low"] < one["first named"] < one["high"] < 1 for one in told.values())


def test_claims_fail_where_the_figures_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_reference, "PAIRS", 300)
    figures = {
        f"B, bias {bias:g}: {name}": value for bias in self_reference.BIASES for name, value in of_bias(bias, 0).items()
    }
    figures |= {f"C, 300 labels: {own}": value for own, value in (("none", 0.6), ("own", 0.7), ("shuffled", 0.7))}
    figures |= {f"D, {by}: Spearman of strength and gap": 0.9 for by in ("perplexity", "votes")}
    held = dict(judge([figures]))
    assert [ok for words, ok in held.items() if words.startswith("C:")] == [False, False]
    assert all(ok for words, ok in held.items() if words.startswith("D:"))


def test_margins_are_what_the_trainer_would_take() -> None:
    voted = vote([Round("a", "b"), Round("b", "b")])
    assert self_reference.margin(voted) == pytest.approx(math.log(3))
