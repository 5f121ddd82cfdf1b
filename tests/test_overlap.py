"""What overlaps with protected texts is found in its disguises, with where and by what; clean texts are not."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from benchmarks.overlap import DISGUISES, questions
from workers.curating import Aid, Row, Side, curators
from workers.overlap import COMMON, Guard, Hit, Protected, Ways, words

QUESTION = "A train leaves the station at noon and travels 60 miles an hour for 3 hours. How far does it get, in miles?"


def guard(*texts: str, vectors: Any = None, **ways: Any) -> Guard:
    return Guard([Protected("bench", f"row {n}", text) for n, text in enumerate(texts)], Ways(**ways), vectors)


def hit(one: Guard, text: str) -> Hit | None:
    (found,) = one.hits([text])
    return found


def test_the_same_words_in_another_dress_are_the_same() -> None:
    dressed = (
        "  a TRAIN leaves the station — at noon, and travels 60 miles an hour for 3 hours; how far does it get in miles"
    )
    found = hit(guard("Something else", QUESTION), dressed)
    assert found and (found.how, found.protected.name, found.score) == ("exact", "row 1", 1.0)


def test_thirteen_words_in_a_row_are_told_and_twelve_are_not() -> None:
    one = guard(QUESTION, containment=0)
    told = words(QUESTION)
    found = hit(one, f"Please solve this: {' '.join(told[3:16])}, thank you")
    assert found is not None
    assert found.reason == f"overlaps with bench, row 0, by 13 words in a row: “{' '.join(told[3:16])}”"
    assert hit(one, f"Please solve this: {' '.join(told[3:15])}, thank you") is None


def test_a_template_that_every_protected_text_has_says_nothing() -> None:
    template = "Read the following question with care, think step by step, and answer with one number only, please. "
    few, many = (
        [template + f"What is {n} and {n + 1} of the {w}?" for n, w in enumerate("abcdefgh" * k)] for k in (1, 8)
    )
    asked = template + "Who wrote the third book?"
    assert hit(guard(*few), asked) is not None and len(many) > COMMON
    assert hit(guard(*many), asked) is None


def test_languages_without_spaces_are_compared_by_characters() -> None:
    text = "一列火车中午从车站出发，以每小时六十英里的速度行驶三个小时，它能走多远？"
    found = hit(guard(text), f"请回答：{text[2:24]}。谢谢")
    assert found and found.how == "n-gram"


def test_minhash_and_vectors_are_looked_at_where_they_are_asked_for() -> None:
    other = QUESTION.replace("noon", "nine")
    assert hit(guard(QUESTION, ngram=0, containment=0), other) is None
    found = hit(guard(QUESTION, ngram=0, containment=0, minhash=0.7), other)
    assert found and found.how == "minhash" and 0.7 <= found.score < 1
    vectors = np.eye(3)
    near = guard("one", "two", "two", vectors=vectors, ngram=0, containment=0, embedding=0.9)
    hits = near.hits(["x", "y"], np.array([[0.1, 1, 0.1], [1, 1, 1]]))
    assert hits[0] and (hits[0].how, hits[0].protected.text) == ("embedding", "two") and hits[1] is None


def test_nothing_protected_nothing_found() -> None:
    for ways in ({}, {"minhash": 0.7}):
        assert guard(**ways).hits(["a text", ""]) == [None, None]
    assert hit(guard("", "?"), "") is None


@pytest.fixture
def halves(real_data: Path) -> tuple[list[str], list[str]]:
    """Questions of GSM8K's test split: those that are protected, and clean ones of the same kind."""
    return questions(real_data, seed=0)


LEAST = {"copied": 1.0, "respaced": 1.0, "words": 0.92, "sentences": 0.99, "numbers": 0.9}
"""The share of each disguise that must be found with the usual settings (python -m benchmarks.overlap)."""


@pytest.mark.parametrize("name", LEAST)
def test_disguises_of_a_real_benchmark_are_found(name: str, halves: tuple[list[str], list[str]]) -> None:
    protected, clean = halves
    one, chance = guard(*protected), Random(1)
    found = one.hits([DISGUISES[name](text, chance) for text in protected])
    right = sum(h is not None and h.protected.text == text for h, text in zip(found, protected, strict=True))
    assert right >= LEAST[name] * len(protected), right / len(protected)
    assert sum(h is not None for h in one.hits(clean)) <= 0.005 * len(clean), "clean questions of the same kind stay"


def test_the_curator_drops_what_overlaps_and_names_it() -> None:
    curator = curators.get("decontaminate")

    def row(n: int, prompt: str, answer: str = "yes") -> Row:
        said = [{"role": "system", "content": QUESTION}, {"role": "user", "content": prompt}]
        return Row(n, f"i{n}", said, "", Side(2 * n, answer), Side(2 * n + 1, "no"), pair=n, outcome="first")

    rows = [row(1, "What is up?"), row(2, QUESTION + " Explain."), row(3, "Say it again", f"You asked: {QUESTION}")]
    aid = Aid(references={"bench": lambda: iter([("row 7", QUESTION)])})
    for look_in, expected in (("prompt", [2]), ("everything", [2, 3])):
        found = list(curator.propose(rows, curator.params(against=["bench"], look_in=look_in), aid))
        assert [one.subject.pair for one in found] == expected
        assert {(one.action, one.cause) for one in found} == {("drop", "overlaps with bench")}
        assert "overlaps with bench, row 7, by 13 words in a row: “a train leaves" in found[0].reason


def test_the_curator_compares_vectors_where_there_is_an_embedder() -> None:
    curator, said = curators.get("decontaminate"), [{"role": "user", "content": "in quite other words"}]
    rows = [Row(n, f"i{n}", said, "", Side(2 * n, "a"), Side(2 * n + 1, "b"), pair=n) for n in range(3)]
    rows[0].vector, rows[1].vector = np.array([1.0, 0.1]), np.array([0.5, 1.0])
    logged: list[str] = []
    references = {"bench": lambda: iter([("row 7", QUESTION)])}
    aid = Aid(0, logged.append, references, lambda texts: [np.array([1.0, 0.0])] * len(texts))
    found = list(curator.propose(rows, curator.params(against=["bench"], embedder=1), aid))
    assert [(one.subject.item, one.reason) for one in found] == [
        (0, "overlaps with bench, row 7, by a cosine of 0.995")
    ]
    assert logged[-1] == "1 prompts have no vector; a run of 'embed' with prompts gives them"
