"""Planted duplicates are found and the right one is kept; what is only about the same is left alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from workers import clustering, neighbours
from workers.curating import Aid, Proposal, Row, Side, curators
from workers.duplicates import AT_ONCE, close, digest, nearly, same
from workers.judging import Unusable
from workers.ledger import Entry, Ledger, Twin
from workers.neighbours import Neighbours

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["".join(Random(n).choices(LETTERS, k=3 + n % 6)) for n in range(2000)]


def text(chance: Random, length: int = 60) -> str:
    return " ".join(chance.choices(WORDS, k=length))


def row(place: int, prompt: str, first: str, second: str, *, votes: int = 1, outcome: str = "first") -> Row:
    sides = Side(2 * place, first), Side(2 * place + 1, second)
    said = [{"role": "user", "content": prompt}]
    return Row(place, f"item-{place}", said, digest(prompt).hex(), *sides, pair=place, outcome=outcome, votes=votes)


def proposed(name: str, rows: Iterable[Row], folder: Path | None = None, **settings: Any) -> list[Proposal]:
    curator = curators.get(name)
    return list(curator.propose(list(rows), curator.params(**settings), Aid(folder=folder)))


def twins(method: Callable[..., None], given: Sequence[Any], weights: Sequence[int], *rest: Any) -> list[Twin]:
    """What a method finds among what is given, each with its weight."""
    with Ledger() as ledger:
        method(ledger, ((Entry(n, weights[n]), one) for n, one in enumerate(given)), *rest)
        return list(ledger.twins())


def dropped(found: Iterable[Proposal]) -> dict[int | None, str]:
    return {one.subject.pair: one.reason for one in found}


def test_of_the_same_pair_the_one_with_more_answers_is_kept_and_named() -> None:
    rows = [row(n, f"question {n}", "yes", "no") for n in range(5)]
    rows += [
        row(5, "question 1", "yes", "no", votes=3),
        row(6, "question 1", "yes", "no"),
        row(7, "question 1", "yes", "other"),
    ]
    found = proposed("duplicates", rows)
    assert dropped(found) == {
        1: "the same prompt and responses as item-5, pair 5 (3 answers)",
        6: "the same prompt and responses as item-5, pair 5 (3 answers)",
    }
    assert {(one.action, one.cause, one.score) for one in found} == {("drop", "duplicate pair", 1.0)}


def test_responses_in_the_other_order_are_the_same_pair_and_the_other_preference_is_told() -> None:
    rows = [row(0, "q", "yes", "no"), row(1, "q", "no", "yes", outcome="second"), row(2, "q", "no", "yes")]
    found = proposed("duplicates", rows)
    assert [(one.subject.pair, one.cause) for one in found] == [
        (1, "duplicate pair"), (2, "duplicate pair, preferred the other way"),
    ]  # fmt: skip


def test_of_equal_prompts_one_item_is_kept_with_all_its_pairs() -> None:
    rows = [row(n, "the same question", f"a{n}", f"b{n}") for n in range(4)]
    for n in (0, 1):
        rows[n].item, rows[n].name = 100, "first"
    found = proposed("duplicates", rows, on="prompt")
    assert dropped(found) == dict.fromkeys((2, 3), "the same prompt as first (1 answer)")


def test_planted_near_duplicates_are_found_and_others_are_not() -> None:
    """Recall: of copies with one word of sixty replaced, whose runs are alike by some 0.9, nine of ten at least."""
    chance = Random(5)
    originals = [(text(chance), text(chance), text(chance)) for _ in range(150)]
    rows = [row(n, *texts) for n, texts in enumerate(originals)]
    for n in range(0, 150, 3):
        changed = [
            " ".join(chance.choice(WORDS) if at == 30 else w for at, w in enumerate(t.split())) for t in originals[n]
        ]
        rows.append(row(1000 + n, *changed))
    planted = {1000 + n for n in range(0, 150, 3)}
    found = {one.subject.pair: one for one in proposed("duplicates", rows, by="minhash")}
    assert found.keys() <= planted and len(found) >= 0.9 * len(planted)
    for pair, one in found.items():
        assert pair is not None and f" as item-{pair - 1000}" in one.reason and one.score >= 0.8
    assert not proposed("duplicates", rows[:150], by="minhash", likeness=0.5), "different texts are no duplicates"


def test_what_hangs_together_by_a_chain_is_kept_where_it_is_not_alike_itself() -> None:
    """Each text of the chain is like the next; the ends are not like each other, so that both stay."""
    chance = Random(1)
    words = text(chance, 200).split()
    chain = []
    for _ in range(12):
        chain.append(" ".join(words))
        for at in chance.sample(range(200), 6):
            words[at] = chance.choice(WORDS)
    found = twins(nearly, chain, [1] * len(chain), 0.8)
    assert 0 < len(found) < 11 and all(twin.likeness >= 0.8 for twin in found)
    assert not {twin.place for twin in found} & {twin.kept for twin in found}


def test_many_digests_against_a_plain_count() -> None:
    chance = Random(2)
    names = [str(chance.randrange(300)) for _ in range(1000)]
    weights = [chance.randrange(3) for _ in names]
    found = {twin.place: twin.kept for twin in twins(same, list(map(digest, names)), weights)}
    for name in set(names):
        places = [n for n, one in enumerate(names) if one == name]
        best = min(places, key=lambda n: (-weights[n], n))
        assert {n: found.get(n, n) for n in places} == dict.fromkeys(places, best)
    assert not twins(same, [], [])


def vectors(count: int, size: int = 32) -> Any:
    return np.random.default_rng(0).standard_normal((count, size))


@pytest.mark.parametrize("indexed", [True, False])
def test_vectors_near_each_other_are_one_group(indexed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the index and without it the planted ones are found, and no others."""
    if indexed:
        pytest.importorskip("usearch")
    else:
        monkeypatch.setattr(neighbours, "made", lambda dimensions: None)
    given = list(vectors(400))
    given += [one + 0.02 * noise for one, noise in zip(given[:60], vectors(60), strict=True)]
    found = twins(close, [None, *given], [0] * 461, 0.97, Neighbours())
    assert {twin.place for twin in found} == set(range(401, 461))
    assert all(twin.kept == twin.place - 400 and twin.likeness > 0.99 for twin in found)


def test_neighbouring_pairs_are_proposed_to_be_dropped() -> None:
    rows = [row(n, f"q{n}", "a", "b", votes=1 + (n == 3)) for n in range(4)]
    for one, (first, second) in zip(rows, vectors(8).reshape(4, 2, -1), strict=True):
        one.first.vector, one.second.vector = first, second  # type: ignore[union-attr]
    rows[3].first.vector, rows[3].second.vector = rows[0].first.vector, rows[0].second.vector  # type: ignore[union-attr]
    rows[1].first.vector = None
    found = proposed("neighbours", rows, embedder=1)
    assert dropped(found) == {0: "vectors with a cosine of 1.000 to those of item-3, pair 3 (2 answers)"}


def test_without_an_index_many_vectors_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "made", lambda dimensions: None)
    monkeypatch.setattr(neighbours, "MOST_COMPARED", 10)
    few = Neighbours()
    few.add(range(10), vectors(10))
    with pytest.raises(Unusable, match="pip install usearch"):
        few.add([10], vectors(1))


def test_the_index_finds_what_a_comparison_with_all_finds() -> None:
    pytest.importorskip("usearch")
    given, asked = vectors(2000), vectors(2100)[2000:]
    found = []
    for exact in (False, True):
        one = Neighbours(exact=exact)
        one.add(range(1500), given[:1500])
        one.add(range(1500, 2000), given[1500:])
        found.append(one.nearest(asked)[0])
    assert sum(a == b for a, b in zip(*found, strict=True)) >= 0.95 * len(asked)


# --- What lies on the disk ---------------------------------------------------------------------------


class Broken(Exception):
    """What a worker that dies is to its curator."""


def broken_off(rows: Sequence[Row], at: int) -> Iterator[Row]:
    yield from rows[:at]
    raise Broken


def many(count: int = 1500) -> list[Row]:
    """Rows of which each tenth says nearly what one before it said, with vectors."""
    chance, made = Random(3), []
    given = vectors(2 * count).reshape(count, 2, -1)
    for n in range(count):
        texts = [text(chance, 30) for _ in range(3)]
        if n % 10 == 9:
            before = made[n - chance.randrange(1, 9)]
            texts = [f"{before.prompt[0]['content']} {WORDS[n % 9]}", before.first.text, before.second.text]  # type: ignore[union-attr]
            given[n] = [before.first.vector, before.second.vector] + 0.01 * given[n]  # type: ignore[union-attr]
        made.append(row(n, *texts, votes=chance.randrange(3)))
        made[n].first.vector, made[n].second.vector = given[n]  # type: ignore[union-attr]
    return made


CURATORS = [("duplicates", {"by": "exact"}), ("duplicates", {"by": "minhash"}), ("neighbours", {"embedder": 1})]


@pytest.mark.parametrize(("name", "asked"), CURATORS)
@pytest.mark.parametrize("at", [700, 1500])
def test_a_curator_that_was_broken_off_finds_the_same_and_looks_at_nothing_twice(
    name: str, asked: dict[str, Any], at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("usearch")
    monkeypatch.setattr(neighbours, "HELD", 100)
    rows = many()
    whole = proposed(name, rows, **asked)
    assert len(whole) == (0 if asked.get("by") == "exact" else 150)
    curator = curators.get(name)
    with pytest.raises(Broken):
        list(curator.propose(broken_off(rows, at), curator.params(**asked), Aid(folder=tmp_path)))
    assert list(tmp_path.glob("*.sqlite")) and (name != "neighbours" or list(tmp_path.glob("*.usearch")))
    looked_at = []
    plain = clustering.shingles
    monkeypatch.setattr(clustering, "shingles", lambda told: looked_at.append(told) or plain(told))  # type: ignore[func-returns-value]
    assert proposed(name, rows, tmp_path, **asked) == whole
    assert len(looked_at) == (1500 - at // AT_ONCE * AT_ONCE if asked.get("by") == "minhash" else 0)
    assert not list(tmp_path.iterdir()), "nothing is left of a run that has told everything"


def test_an_index_in_files_finds_what_one_in_memory_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("usearch")
    monkeypatch.setattr(neighbours, "HELD", 300)
    given, asked = vectors(2000), vectors(2100)[2000:]
    filed, exact = Neighbours(folder=tmp_path), Neighbours(exact=True)
    assert filed.nearest(asked[:2]) == ([None, None], [-1.0, -1.0])
    for some in (slice(0, 250), slice(250, 2000)):
        for one in (filed, exact):
            one.add(range(2000)[some], given[some])
    assert len(filed.files) == 6 and len(list(tmp_path.iterdir())) == 6 and len(filed) == 2000
    found, all_compared = filed.nearest(asked), exact.nearest(asked)
    assert sum(a == b for a, b in zip(found[0], all_compared[0], strict=True)) >= 0.98 * len(asked)
    assert np.allclose(found[1], all_compared[1], atol=0.02)


MEASURED = """
import resource, sys
from random import Random
from workers.duplicates import digest, same
from workers.ledger import Entry, Ledger
count = int(sys.argv[1])
with Ledger() as ledger:
    same(ledger, ((Entry(n, 1, "x" * 100), digest(str(n % (count // 2)))) for n in range(count)))
    assert sum(1 for _ in ledger.twins()) == count // 2
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_what_is_remembered() -> None:
    """Half of them are twins. In memory 200 000 more would take 40 MB and more."""
    few, many = (
        int(subprocess.run([sys.executable, "-c", MEASURED, count], capture_output=True, check=True, text=True).stdout)
        for count in ("50000", "250000")
    )
    assert many - few < 12_000, (few, many)
