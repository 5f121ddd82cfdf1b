"""The benchmarks of noise and of the loop: figures as counted by hand, prompts on one side only, votes as they are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks import loop, loop_report, noise, noise_data, noise_report
from benchmarks.noise_data import SETS, Pairs, Places, add, split


@pytest.fixture
def data(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TOUCHSTONE_DATA", str(real_data))
    yield real_data


def test_flips_found_as_counted_by_hand() -> None:
    doubted = np.array([True, True, False, False, True])
    flipped = np.array([True, False, True, False, False])
    told = noise.detected(doubted, np.array([5.0, 4.0, 3.0, 2.0, 1.0]), flipped)
    assert told["doubted"] == 3 and told["precision"] == pytest.approx(1 / 3) and told["recall"] == 0.5
    assert told["at_rate"] == 0.5 and told["auroc"] == pytest.approx(5 / 6)
    assert noise.detected(~np.ones(5, dtype=bool), np.zeros(5), flipped)["precision"] is None


def test_pairs_are_turned_and_ties_are_half_right() -> None:
    ends = np.array([[1, 2], [3, 4]])
    assert noise.turned(ends, [True, False]).tolist() == [[2, 1], [3, 4]]
    assert noise.right(np.array([1.0, -1.0, 0.0, 2.0])) == 0.625


def test_what_is_won_back_is_a_share_of_what_was_lost() -> None:
    told = noise_report.won_back([0.6, 0.62, 0.58], [0.65, 0.67, 0.63], [0.7, 0.72, 0.68])
    assert told is not None and told.value == pytest.approx(0.5) and told.low == pytest.approx(0.5)
    assert noise_report.won_back([0.6, 0.7], [0.6, 0.7], [0.7, 0.6]) is None  # nothing clearly lost
    assert noise_report.won_back([0.6, 0.6], [None, None], [0.7, 0.7]) is None


def test_an_interval_over_five_seeds_is_students() -> None:
    assert noise_report.half_width([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2.776 * (2.5 / 5) ** 0.5)


def test_a_pair_is_as_most_votes_have_it_and_a_draw_is_none() -> None:
    pairs = Pairs("none")
    places = Places(pairs)
    first, second = places.of("a", "p", "one"), places.of("b", "p", "two")
    add(pairs, 0, (first, second), (1, 3), "b")
    add(pairs, 0, (first, second), (2, 2))
    add(pairs, 0, (first, second), (2, 1), "b")
    assert (pairs.better, pairs.worse, pairs.votes) == ([second, first], [first, second], [(3, 1), (2, 1)])
    assert pairs.judged == [1, -1] and places.of("a", "p", "one") == first


def test_the_area_is_the_mean_height_between_points() -> None:
    assert loop_report.area([0, 10, 30], [0.5, 0.7, 0.7]) == pytest.approx((10 * 0.6 + 20 * 0.7) / 30)
    ways = {way: [0.5, 0.6] for way in loop_report.LINES}
    each = [{"steps": [20, 40], "ways": {**ways, "errors": [0.5 + gain, 0.6 + gain]}} for gain in (0.02, 0.04)]
    told = loop_report.above(each, "errors")
    assert told.value == pytest.approx(0.03) and told.clear
    assert not loop_report.above(each, "uncertain").clear


def test_a_person_and_the_unverified_label_are_different_votes() -> None:
    votes = np.array([[1, 1]] * 50)
    pairs = Pairs("none", votes=[(1, 1)] * 50, judged=[0] * 50, prompt=list(range(50)))
    pairs.better, pairs.worse = list(range(50)), list(range(50, 100))
    ground = loop.ground_of(pairs, np.zeros((100, 3)), np.ones((100, 3)), 0)
    assert len(ground.pool) + len(ground.test) == len(votes)
    assert (ground.people == -ground.unverified).all()
    everybody = loop.drawn(np.array([[3, 0], [0, 2]]), np.random.default_rng(0))
    assert everybody.tolist() == [1, -1]


def ground_of_halves() -> loop.Ground:
    """120 pairs of two kinds that lie apart; the first half is labelled the wrong way round."""
    chance = np.random.default_rng(0)
    ends = np.arange(240).reshape(-1, 2)
    half = np.arange(120) < 60
    near = np.where(half[:, None], [4.0, 0.0, 0.0, 0.0], [0.0, 4.0, 0.0, 0.0]) + chance.normal(size=(120, 4))
    rows = np.zeros((240, 2))
    rows[0::2, 0] = np.arange(120)
    return loop.Ground(rows, ends, ends, np.where(half, -1, 1), np.ones(120, dtype=int), near.astype(np.float32))


def test_errors_ask_for_pairs_like_those_on_which_the_pool_errs(monkeypatch: pytest.MonkeyPatch) -> None:
    ground = ground_of_halves()
    monkeypatch.setattr(loop, "tuned", lambda rows, learnt, held, spread: np.where(held.min(1) < 120, -3.0, 3.0))
    asked = loop.chosen(ground, "errors", [20, 50], 1.0, 0)
    random = loop.chosen(ground, "random", [20, 50], 1.0, 0)
    assert len(set(asked.tolist())) == 50 and asked[:20].tolist() == random[:20].tolist()
    share, by_chance = float((asked[20:] < 60).mean()), float((random[20:] < 60).mean())
    assert share > 0.75 > 0.65 > by_chance


def test_uncertain_asks_where_the_margin_is_least(monkeypatch: pytest.MonkeyPatch) -> None:
    ground = ground_of_halves()
    monkeypatch.setattr(loop, "tuned", lambda rows, learnt, held, spread: rows[held[:, 0], 0] - 60.5)
    monkeypatch.setattr(loop, "tuned_spread", lambda rows, learnt, seed: 1.0)
    asked = loop.chosen(ground, "uncertain", [20, 30], 1.0, 0)
    left = sorted(set(range(120)) - set(asked[:20].tolist()), key=lambda place: abs(place - 60.5))
    assert set(asked[20:].tolist()) == set(left[:10])


def test_both_models_against_a_label_turn_it_round(monkeypatch: pytest.MonkeyPatch) -> None:
    ground = ground_of_halves()
    monkeypatch.setattr(loop, "tuned_spread", lambda rows, learnt, seed: 1.0)
    truly = lambda held: np.where(held[:, 0] < held[:, 1], 1.0, -1.0)  # noqa: E731
    monkeypatch.setattr(loop, "tuned", lambda rows, learnt, held, spread: truly(held))
    monkeypatch.setattr(loop, "crossed", lambda rows, gold, pool, spread, seed: truly(pool))
    learnt = loop.consistent(ground, np.array([0, 100]), 1.0, 0)
    assert len(learnt) == 120 and (learnt[:, 0] < learnt[:, 1]).all()
    monkeypatch.setattr(loop, "crossed", lambda rows, gold, pool, spread, seed: -truly(pool))
    assert loop.consistent(ground, np.array([0, 100]), 1.0, 0).tolist() == [[0, 1], [200, 201]]


def test_without_cleanlab_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if noise.importlib.util.find_spec("cleanlab"):
        pytest.skip("cleanlab is here")
    assert noise.Cleanlab("", tmp_path).of(np.zeros((2, 2)), 0) == {}
    assert "not compared" in capsys.readouterr().err


def test_another_environment_answers_by_files(tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text(
        f"#!{sys.executable}\nimport sys\nimport numpy as np\nfor line in sys.stdin:\n"
        "    rows = np.load(line.strip())['differences']\n"
        f"    np.savez('{tmp_path}/found.npz', way=rows[:, 0] < 0, self_confidence=np.full(len(rows), 0.25))\n"
        f"    print('{tmp_path}/found.npz', flush=True)\n"
    )
    script.chmod(0o755)
    other = noise.Cleanlab(str(script), tmp_path)
    [(way, (marks, scores))] = other.of(np.array([[1.0], [-1.0]]), 0).items()
    assert (way, marks.tolist(), scores.tolist()) == ("way", [False, True], [0.75, 0.75])
    assert other.process and other.process.stdin
    other.process.stdin.close()
    other.process.wait(10)


@pytest.mark.data
@pytest.mark.parametrize("name", SETS)
def test_no_prompt_and_no_response_is_on_both_sides(name: str, data: Path) -> None:
    pairs = SETS[name][1]()
    learnt, test = split(pairs, 10**9, 0)
    assert len(learnt) > 300 and len(test) > 150 and not set(learnt) & set(test)
    ends = np.stack([pairs.better, pairs.worse], 1)
    assert not set(ends[learnt].ravel()) & set(ends[test].ravel())
    if not pairs.apart:
        prompt = np.array(pairs.prompt)
        assert not set(prompt[learnt]) & set(prompt[test])
    assert all(first > second for first, second in pairs.votes)


@pytest.mark.data
def test_a_whole_measurement_of_few_pairs(data: Path) -> None:
    pairs = SETS["llmfao"][1]()
    chance = np.random.default_rng(0)
    mean = chance.normal(size=(len(pairs.texts), 6)).astype(np.float32)
    vectors = noise_data.Vectors(mean, mean, np.log1p([len(text) for _, text in pairs.texts]))
    told = noise.measured(pairs, vectors, mean, 200, 0.3, 0, noise.Cleanlab("", Path()))
    assert told["learnt"] == 200 and told["found"]["wrong-labels"]["at_rate"] is not None
    assert set(told["accuracy"]["tuned"]) == {"raw", "filtered", "recycled", "clean", "confident-learning: filtered"}
    text = noise_report.report({("llmfao", 0.3): [told, {**told, "seed": 1}]})
    assert "LLMFAO" in text and "no clear loss" in text
