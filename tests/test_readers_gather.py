"""Rows that belong together become one item: at its first line, or refused at the line of the row that is bad."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from curation.services.importing import sources
from workers.readers import Options, readers
from workers.rows import ItemRow

Told = tuple[int, str]


def sentence(doc: str, number: int, **more: Any) -> dict[str, Any]:
    words = {"sentence": f"Sentence {number} 👍.", "label": "consistent"}
    return {"doc_id": doc, "topic": "t", "model": "m", "sentence_index": number, **words, **more}


def outcomes(tmp_path: Path, *rows: Any, format: str = "tofueval") -> list[sources.Outcome]:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return list(sources.outcomes(path, readers.get(format), Options()))


def told(found: list[sources.Outcome]) -> list[Told]:
    """The line of each outcome with the text of its item, or why it is none."""
    return [
        (one.line, one.row.responses[0].text if isinstance(one.row, ItemRow) else f"{one.problem.field}: {one.problem}")
        for one in found
        if one.row or one.problem
    ]  # fmt: skip


def test_rows_that_follow_each_other_are_one_item(tmp_path: Path) -> None:
    rows = [sentence("a", 1), sentence("a", 2), "", sentence("b", 1), sentence("a", 1)]
    found = told(outcomes(tmp_path, *rows))
    assert found == [
        (1, "Sentence 1 👍. Sentence 2 👍."),
        (4, "Sentence 1 👍."),
        (5, "Sentence 1 👍."),
    ]


def test_a_bad_row_refuses_its_item_at_its_own_line(tmp_path: Path) -> None:
    rows = [sentence("a", 1), sentence("a", 2), sentence("a", 4), sentence("b", 1), sentence("b", 2, label="?")]
    assert told(outcomes(tmp_path, *rows)) == [
        (3, "sentence_index: is 4 where 3 should follow"),
        (5, "label: must be consistent or inconsistent"),
    ]


def test_a_row_that_cannot_be_read_spoils_the_item_around_it_and_no_other(tmp_path: Path) -> None:
    rows = [sentence("a", 1), "{", sentence("a", 2), sentence("b", 1), "{", sentence("c", 1)]
    found = told(outcomes(tmp_path, *rows))
    assert [line for line, _ in found] == [2, 1, 5, 4, 6]
    assert found[1] == (1, ": begins an item in which line 2 cannot be read")
    assert [words for line, words in found if line in (4, 6)] == ["Sentence 1 👍."] * 2


def test_a_key_that_cannot_be_told_is_refused_for_itself(tmp_path: Path) -> None:
    found = told(outcomes(tmp_path, sentence("a", 1), sentence("a", 2) | {"doc_id": ["x"]}))
    assert [line for line, _ in found] == [2, 1] and found[0][1].startswith("doc_id: must be text")


def test_raters_of_one_translation_are_its_annotators(tmp_path: Path) -> None:
    base = {"system": "m", "doc": "d", "docSegId": "1", "source": "x", "target": "a <v>b</v>", "category": "Style"}
    rows = [base | {"rater": rater, "severity": "minor"} for rater in ("r1", "r1", "r2")]
    rows.append(base | {"rater": "r3", "severity": "no-error", "target": "a b"})
    rows.append(base | {"docSegId": "2", "rater": "r1", "severity": "minor", "target": "<v></v>c"})
    first, second = (one.row for one in outcomes(tmp_path, *rows, format="mqm-tsv"))
    assert isinstance(first, ItemRow) and isinstance(second, ItemRow)
    assert [(one.annotator, len(one.critiques)) for one in first.answers] == [("r1", 2), ("r2", 1), ("r3", 0)]
    assert (second.answers[0].critiques[0].start, second.answers[0].critiques[0].end) == (0, 0)


def test_a_translation_that_changes_within_its_rows_is_refused(tmp_path: Path) -> None:
    base = {"system": "m", "doc": "d", "docSegId": "1", "source": "x", "rater": "r", "category": "c", "severity": "s"}
    found = told(outcomes(tmp_path, base | {"target": "a"}, base | {"target": "b"}, format="mqm-tsv"))
    assert found == [(2, "target: differs, without its marks, from the rows before")]


def test_rows_without_end_are_refused_and_not_held(tmp_path: Path, settings: Any) -> None:
    settings.IMPORT_LINE_MB = 1
    long = "x" * 10_000
    rows = [sentence("a", n + 1, sentence=long) for n in range(2000)] + [sentence("b", 1)]
    tracemalloc.start()
    found = told(outcomes(tmp_path, *rows))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [(1, ": is, with the other rows of its item, longer than 1 MB"), (2001, "Sentence 1 👍.")]
    assert peak < 60 * 2**20


@pytest.mark.parametrize("after", range(5))
def test_an_import_goes_on_behind_the_items_that_landed(tmp_path: Path, after: int) -> None:
    """The checkpoint counts outcomes: those of the same file are the same and in the same order each time."""
    rows = [sentence("a", 1), sentence("a", 2), "{", sentence("b", 2), sentence("c", 1), sentence("c", 2)]
    path = tmp_path / "rows.jsonl"
    whole = outcomes(tmp_path, *rows)
    again = list(sources.outcomes(path, readers.get("tofueval"), Options()))
    assert told(whole) == told(again) and len(whole) == 4
    assert [one.at for one in whole] == sorted(one.at for one in whole)
    assert told(whole[after:]) == told(again[after:])
