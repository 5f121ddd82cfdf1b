"""Each curator on rows whose right proposals are known, and the detector of wrong labels on planted ones."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from workers.curating import Aid, Proposal, Row, Side, Unfit, curators
from workers.curators.balance import family
from workers.curators.confident_learning import flagged, out_of_fold_margins, probability

ASKED = [{"role": "user", "content": "Why?"}]


def pair(number: int, outcome: str = "first", *, texts: tuple[str, str] = ("a", "b"), **more: Any) -> Row:
    models, scores = more.pop("models", ("", "")), more.pop("scores", (None, None))
    first, second = (Side(10 * number + side, texts[side], models[side], score=scores[side]) for side in range(2))
    given: dict[str, Any] = {"votes": 3, "agreement": 1.0, "confidence": 1.0, "how": "majority", **more}
    return Row(number, f"i{number}", ASKED, f"p{number}", first, second, number, outcome=outcome, **given)


def of(name: str, rows: list[Row], seed: int = 0, **settings: Any) -> list[Proposal]:
    curator = curators.get(name)
    return list(curator.propose(rows, curator.params.model_validate(settings), Aid(seed)))


def brief(found: list[Proposal]) -> list[tuple[int, str]]:
    return [(one.subject.item, one.action) for one in found]


def test_answers_that_do_not_agree_are_asked_again_or_dropped() -> None:
    rows = [
        pair(1, agreement=2 / 3),
        pair(2, agreement=0.6, votes=5),
        pair(3, agreement=0.8, votes=5),
        pair(4, agreement=1.0, votes=1),
        pair(5, "undecided", agreement=0.5, votes=2),
        pair(6, "tie", agreement=0.5, votes=6),
        pair(7, agreement=0.4, votes=5, how="adjudicated"),
        pair(8, agreement=None),
    ]
    found = of("agreement", rows)
    assert brief(found) == [(1, "ask"), (2, "drop"), (5, "ask")]
    assert found[0].reason == "2 of 3 answers agree" and found[0].score == pytest.approx(1 / 3)
    assert "no response has the majority" in found[2].reason
    assert brief(of("agreement", rows, least=0.9, ask_below=0)) == [(1, "drop"), (2, "drop"), (3, "drop"), (5, "drop")]


def test_labels_of_which_a_fit_is_not_sure_are_dropped() -> None:
    rows = [
        pair(1, confidence=0.79, how="dawid_skene@x"),
        pair(2, confidence=0.8),
        pair(3, "tie", confidence=0.9),
        pair(4, confidence=0.1, how="gold"),
    ]
    found = of("confidence", rows)
    assert brief(found) == [(1, "drop")] and "dawid_skene with a confidence of 0.79" in found[0].reason
    assert brief(of("confidence", rows, action="ask", without=True)) == [(1, "ask"), (3, "ask")]


def test_margins_flip_ask_and_drop() -> None:
    rows = [
        pair(1, scores=(-3.0, 1.0)),
        pair(2, "second", scores=(-3.0, 1.0)),
        pair(3, scores=(0.0, 0.5)),
        pair(4, scores=(1.0, None)),
        pair(5, "tie", scores=(-9.0, 9.0)),
        pair(6, scores=(-9.0, 9.0), how="gold"),
    ]
    found = of("margin", rows, model=1, flip_below=-2, above=3.5)
    assert brief(found) == [(1, "flip"), (2, "drop"), (3, "ask")]
    assert [one.score for one in found] == [4.0, 4.0, 0.5] and "4 below the other" in found[0].reason
    assert brief(of("margin", rows, model=1, lower_is_better=True)) == [(2, "ask")]
    for wrong in ({"below": None}, {"flip_below": 1, "below": 0}):
        with pytest.raises(ValidationError, match="needs flip_below|in this order"):
            of("margin", rows, model=1, **wrong)


def test_balance_by_length_leaves_half() -> None:
    rows = [pair(n, texts=("long " * 9, "short")) for n in range(30)]
    rows += [pair(n, texts=("short", "long " * 9)) for n in range(30, 40)]
    rows += [pair(40, texts=("same", "size"))]
    found = of("balance", rows)
    assert len(found) == 20 and {one.subject.item < 30 for one in found} == {True}
    assert found[0].reason == "the longer response is preferred in 30 of 40 pairs"
    assert found[0].score == pytest.approx(2 / 3)
    assert brief(of("balance", rows)) == brief(found) != brief(of("balance", rows, seed=1))
    assert len(of("balance", rows, tolerance=0.5)) == 15
    assert of("balance", rows[:30]) == []  # nothing but dropping all could balance this
    assert len(of("balance", rows, characters=100)) == 0


def test_balance_by_model_family_and_by_source() -> None:
    assert [family(name) for name in ("meta-llama/Llama-3-8B", "gpt-4o", "", "7b")] == ["llama", "gpt", "", "b"]
    models = [("gpt-4", "llama-2")] * 6 + [("llama-3", "gpt-3.5")] * 2 + [("gpt-4", "gpt-3.5")] * 5
    rows = [pair(n, models=both, source="web" if n < 9 else "lab") for n, both in enumerate(models)]
    by_model = of("balance", rows, by="model")
    assert len(by_model) == 4 and all(one.subject.item < 6 for one in by_model)
    by_source = of("balance", rows, by="source")
    assert Counter(rows[one.subject.item].source for one in by_source) == {"web": 5}


def planted(seed: int, share: float = 0.2, count: int = 600, width: int = 24) -> tuple[Any, Any, Any, list[int]]:
    """Differences of embeddings, labels of a linear reward of which a share is flipped, which, and their prompts."""
    chance = np.random.default_rng(seed)
    differences = chance.normal(size=(count, width)).astype(np.float32)
    truth = np.where(differences @ chance.normal(size=width) > 0, 1, -1)
    wrong = chance.random(count) < share
    return differences, np.where(wrong, -truth, truth), wrong, [n // 2 for n in range(count)]


def test_planted_wrong_labels_are_found_out_of_fold() -> None:
    differences, labels, wrong, groups = planted(1)
    found = flagged(out_of_fold_margins(differences, groups, labels, 5, 0))
    assert (found & wrong).sum() / found.sum() > 0.85 and (found & wrong).sum() / wrong.sum() > 0.65
    clean = planted(2, share=0.0)
    assert flagged(out_of_fold_margins(clean[0], clean[3], clean[1], 5, 0)).mean() < 0.05
    chance = np.random.default_rng(3).permutation(labels)
    margins = out_of_fold_margins(differences, groups, chance, 5, 0)
    assert abs((margins > 0).mean() - 0.5) < 0.08  # a head that saw what it judges would agree with noise


def test_a_prompt_is_never_judged_by_a_head_that_learned_from_it() -> None:
    chance = np.random.default_rng(4)
    base = chance.normal(size=(60, 90)).astype(np.float32)
    labels = chance.choice((-1, 1), size=60)
    twice, both = np.concatenate([base, base]), np.concatenate([labels, labels])
    together = out_of_fold_margins(twice, [n % 60 for n in range(120)], both, 5, 0)
    apart = out_of_fold_margins(twice, list(range(120)), both, 5, 0)
    assert (together > 0).mean() < 0.6 < 0.75 < (apart > 0).mean()


def test_margins_are_the_same_whichever_side_is_first_and_whatever_the_scale() -> None:
    differences, labels, _, groups = planted(5, count=200)
    margins = out_of_fold_margins(differences, groups, labels, 4, 7)
    turned = np.where(np.arange(200) % 2, 1, -1)
    same = out_of_fold_margins(differences * turned[:, None] * 37, groups, labels * turned, 4, 7)
    assert np.allclose(margins, same, atol=1e-6)
    assert not np.allclose(margins, out_of_fold_margins(differences, groups, labels, 4, 8))


def test_thresholds_are_the_mean_self_confidence_of_each_side() -> None:
    own = np.array([0.9, 0.8, 0.1, 0.45, 0.7, 0.35])
    margins, labels = np.log(own / (1 - own)), [1, 1, 1, -1, -1, -1]
    assert probability(margins) == pytest.approx(own)
    # first: (.9 + .8 + .1) / 3 = .6, second: (.45 + .7 + .35) / 3 = .5; of .1 the other side gets .9 >= .5, of .45 it
    # gets .55 < .6, of .35 it gets .65 >= .6
    assert flagged(margins, labels).tolist() == [False, False, True, False, False, True]
    assert flagged(margins).tolist() == [False, False, True, True, False, True]  # .55 for both
    assert flagged(margins, below=0.2).tolist() == [False, False, True, False, False, False]


def test_confident_learning_proposes_flips_and_questions() -> None:
    differences, labels, wrong, groups = planted(6)
    rows = [pair(n, "first" if label > 0 else "second") for n, label in enumerate(labels)]
    for n, row in enumerate(rows):
        assert row.second is not None
        row.prompt_hash = f"p{groups[n]}"
        row.first.vector, row.second.vector = differences[n], np.zeros_like(differences[n])
    rows[int(np.flatnonzero(wrong)[0])].how = "adjudicated"
    rows[-1].first.vector = None
    found = of("confident-learning", rows, embedder=1)
    right = [bool(wrong[one.subject.item]) for one in found]
    assert len(found) > 30 and np.mean(right) > 0.75
    for one in found:
        assert one.action == ("flip" if one.score > 0.8 else "ask") and "has not seen this prompt" in one.reason
    assert int(np.flatnonzero(wrong)[0]) not in {one.subject.item for one in found}
    with pytest.raises(Unfit, match="10 labelled pairs have vectors"):
        of("confident-learning", rows[:10], embedder=1)
    for row in rows:
        assert row.second is not None
        row.first.vector = row.second.vector
    with pytest.raises(Unfit, match="no two responses differ"):
        of("confident-learning", rows, embedder=1)


def test_curators_are_listed_where_only_the_web_runs() -> None:
    program = (
        "import sys; sys.modules['torch'] = sys.modules['sklearn'] = sys.modules['crowdkit'] = None\n"
        "from workers.curating import curators\n"
        "print(sorted(one.name for one in curators if one.params.model_json_schema()))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    for name in ("agreement", "balance", "confidence", "confident-learning", "margin", "wrong-labels"):
        assert name in said.stdout, said.stderr


def test_the_subject_of_a_pair_is_one_whichever_is_chosen() -> None:
    row = pair(3, "second")
    assert row.subject.key == "pair:30:31" == pair(3).subject.key
    assert (row.subject.chosen, pair(3).subject.chosen) == (31, 30)
    assert Row(1, "i", ASKED, "p", Side(5, "x")).subject.key == "response:5"
