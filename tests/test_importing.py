"""Rows land or are refused one by one, the same file twice changes nothing, and every counter is right."""

from __future__ import annotations

import gzip
import sqlite3
import zlib
from itertools import combinations
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from curation import bulk
from curation.errors import Invalid
from curation.models import Annotation, Annotator, Item, Pair, Project, Response, Run, Task
from curation.services import importing, running
from curation.services.importing import doing, reading, sources
from curation.services.importing.rows import paired
from tests.cast import make_project
from tests.imports import bring, bring_file, counts, file_of, in_order, refusals, row, snapshot

BAD: dict[bytes, tuple[str, str]] = {
    b'{"prompt": "x"': ("", "is not JSON"),
    b'{"prompt": "\xff", "responses": ["a", "b"]}': ("", "is not UTF-8 (byte 13)"),
    b'{"prompt": "x", "responses": ["a", "\\ud800"]}': ("", "is not JSON"),
    b"[1]": ("", "must be an object, not a list"),
    b"null": ("", "must be an object, not nothing"),
    b"{}": ("responses", "must be a list, not nothing"),
    b'{"responses": ["a", "b"]}': ("prompt", "is missing"),
    b'{"prompt": " ", "responses": ["a", "b"]}': ("prompt", "is empty"),
    b'{"prompt": 7, "responses": ["a", "b"]}': ("prompt", "must be a list of messages, not a number"),
    b'{"prompt": "a\\u0000", "responses": ["a", "b"]}': ("prompt", "holds a NUL character"),
    b'{"prompt": "x", "responses": []}': ("responses", "needs at least two responses"),
    b'{"prompt": "x", "responses": ["a"]}': ("responses", "needs at least two responses"),
    b'{"prompt": "x", "responses": ["a", " \\n"]}': ("responses.1", "is empty"),
    b'{"prompt": "x", "responses": ["a", null]}': ("responses.1", "is missing"),
    b'{"prompt": "x", "responses": ["a", {"text": 1}]}': ("responses.1.text", "must be text or a list of messages"),
    b'{"prompt": "x", "responses": ["a", " a "]}': ("responses", "are identical"),
    b'{"prompt": "x", "responses": ["a", "b", "a"]}': ("responses.2", "identical to responses.0, from the same model"),
    b'{"prompt": "x", "responses": ["a", "b"], "id": true}': ("id", "must be text or a whole number"),
    b'{"prompt": "x", "responses": ["a", "b"], "metadata": {"k": "\\u0000"}}': ("metadata.k", "holds a NUL character"),
    b'{"prompt": "x", "responses": ["a", "b"], "pairs": [[0, 2]]}': ("pairs.0", "must be a place from 0 to 1"),
    b'{"prompt": "x", "responses": ["a", "b", "c"], "pairs": []}': ("pairs", "names no pair to compare"),
    b'{"prompt": "x", "responses": ["a", "b"], "votes": [{"value": 1}]}': ("votes.0.annotator", "is missing"),
}


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 2000 rows."""
    monkeypatch.setattr(reading, "BATCH", 2000)


# --- Good rows and bad ones ---------------------------------------------------------------------------


def test_each_bad_row_is_named_and_the_good_ones_around_it_land(project: Project) -> None:
    lines = [line for n, bad in enumerate(BAD) for line in (row(f"good-{n}"), bad)]
    result = bring(project, *lines)
    assert counts(result) == (len(BAD), 0, 0, len(BAD))
    assert [line for line, _, _ in refusals(result)] == list(range(2, 2 * len(BAD) + 1, 2))
    for (_, field, reason), (bad_field, bad_reason) in zip(refusals(result), BAD.values(), strict=True):
        assert field == bad_field and bad_reason in reason
    assert set(Item.objects.values_list("external_id", flat=True)) == {f"good-{n}" for n in range(len(BAD))}
    assert Response.objects.count() == 2 * Pair.objects.count() == 2 * Task.objects.count() == 2 * len(BAD)


def test_what_was_refused_is_kept_in_full_and_can_be_found_again(project: Project) -> None:
    given = [{"id": f"row-{n}", "prompt": "x" * 99, "responses": []} for n in range(1005)]
    result = bring(project, *given, b"oops")
    run = Run.objects.get()
    kept = [orjson.loads(line) for line in (run.folder / "rejected.jsonl").read_bytes().splitlines()]
    assert result["rejected"] == len(kept) == 1006 and len(result["problems"]) == 1000 and result["created"] == 0
    assert kept[:1000] == result["problems"] and [one["line"] for one in kept] == list(range(1, 1007))
    assert "row-1003" in kept[1003]["excerpt"] and "x…" in kept[1003]["excerpt"] and kept[1005]["excerpt"] == "oops"


def test_an_overlong_line_is_refused_and_the_next_one_lands(project: Project, settings: Any) -> None:
    settings.IMPORT_LINE_MB = 1
    result = bring(project, row("1"), row("2", "a" * 2**20, "b"), row("3"))
    assert counts(result) == (2, 0, 0, 1) and refusals(result) == [(2, "", "is longer than 1 MB")]


def test_a_gzip_bomb_ends_the_import_with_a_reason_and_keeps_what_came_before(project: Project) -> None:
    pack = zlib.compressobj(9, wbits=31)
    path = file_of([])
    with path.open("wb") as file:
        file.write(pack.compress(orjson.dumps(row("1")) + b"\n"))
        for _ in range(70):
            file.write(pack.compress(bytes(2**20)))
        file.write(pack.flush())
    result = bring_file(project, path)
    assert counts(result)[0] == 1 and "unpacks to over 200 times its size" in refusals(result)[-1][2]


def test_a_gzip_file_that_breaks_off_gives_its_whole_rows(project: Project) -> None:
    path = file_of([row(str(n)) for n in range(50)])
    path.write_bytes(gzip.compress(path.read_bytes())[:-12])
    result = bring_file(project, path)
    assert 1 <= result["created"] <= 50 and "ends too early" in refusals(result)[-1][2]


def test_a_file_of_bad_rows_alone_is_read_to_its_end(project: Project) -> None:
    before = snapshot(project)
    assert counts(bring(project, b"a", b"{", b"[]")) == (0, 0, 0, 3)
    assert snapshot(project) == before


@pytest.mark.parametrize(
    ("lines", "options", "field", "words"),
    [
        ([], {}, "file", "no rows"),
        ([{"a": 1, "b": 2}], {}, "format", "these fields: a, b"),
        ([row("1")], {"format": "parchment"}, "format", "'parchment'; there is: alpaca-eval, argilla-spans"),
        ([row("1")], {"pairing": "some"}, "pairing", "auto, all, ring, first"),
        ([{"id": 1, "topic": "t", "response_a": "a", "response_b": "b"}], {}, "companion", "needs its companion file"),
        ([row("1")], {"mapping": {"mood": "x"}}, "mapping", "'mood' is no role"),
        ([row("1")], {"mapping": {"prompt": "frage"}}, "mapping", "no column 'frage'; there is: id, prompt, responses"),
        ([row("1")], {"filename": "a\0"}, "filename", "NUL"),
    ],
)
def test_what_cannot_be_imported_at_all_says_so_at_once(
    project: Project, lines: list[Any], options: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(Invalid) as told:
        importing.request_import(project=project, user=None, path=file_of(lines), **options)
    assert told.value.field == field and words in told.value.detail and not Run.objects.exists()


def test_a_whole_mapping_makes_a_table_of_any_fields(project: Project) -> None:
    given = {"frage": "Warum?", "x": "A", "y": "B", "besser": "b", "jahr": 7}
    mapping = {"prompt": "frage", "response_a": "x", "response_b": "y", "winner": "besser"}
    result = bring(project, given, {**given, "besser": 2}, mapping=mapping)
    assert result["format"] == "columns" and counts(result) == (1, 0, 0, 1)
    assert refusals(result)[0][:2] == (2, "besser")
    assert Item.objects.get().metadata == {"jahr": 7} and Annotation.objects.get().preferences.get().value == 1


def test_a_sheet_keeps_the_columns_that_are_no_part_of_the_item(project: Project) -> None:
    path = file_of([b"question,input,answer_a,answer_b,votes", b"Why?,more,A,B,12"], "sheet.csv")
    bring_file(project, path)
    assert Item.objects.get().metadata == {"input": "more", "votes": "12"}


def test_what_no_database_keeps_is_refused_wherever_it_hides(project: Project) -> None:
    kind = pa.map_(pa.string(), pa.string())
    tags = pa.array([[("k", "v")], [("k", "\0")], [("\0", "v")]], type=kind)
    texts = {name: [f"{name} {n}" for n in range(3)] for name in ("prompt", "chosen", "rejected")}
    path = file_of([], "table.parquet")
    pq.write_table(pa.table({**texts, "tags": tags}), path)
    result = bring_file(project, path)
    assert counts(result) == (1, 0, 0, 2)
    assert refusals(result) == [(line, "tags", "holds a NUL character") for line in (2, 3)]


# --- The same again -----------------------------------------------------------------------------------

VOTED: list[Any] = [
    row("1", "A", "B", votes=[{"annotator": "w", "value": -1}, {"annotator": "g", "value": 2, "kind": "model"}]),
    row(
        "2", "A", "B", "C", metadata={"source": "web"}, votes=[{"annotator": "w", "first": 2, "second": 0, "value": 1}]
    ),
    row(None, "A", {"text": "B", "model": "m"}),
    b"not a row",
]


def test_the_same_file_twice_changes_nothing(project: Project) -> None:
    first = bring(project, *VOTED)
    assert counts(first) == (3, 0, 0, 1) and (first["votes"], first["tasks"]) == (3, 5)
    before = snapshot(project)
    again = bring(project, *VOTED)
    assert counts(again) == (0, 0, 3, 1) and (again["votes"], again["tasks"]) == (0, 0)
    assert snapshot(project) == before


def test_the_same_rows_in_another_order_and_shape_change_nothing(project: Project) -> None:
    bring(project, *VOTED)
    before = snapshot(project)
    document = file_of([orjson.dumps({"data": VOTED[2::-1]}, option=orjson.OPT_INDENT_2)])
    assert counts(bring_file(project, document)) == (0, 0, 3, 0)
    assert snapshot(project) == before


def test_two_projects_hold_the_same_file_each_for_itself(project: Project) -> None:
    other = make_project("other")
    bring(project, *VOTED)
    assert counts(bring(other, *VOTED)) == (3, 0, 0, 1)
    in_order(project)
    assert Item.objects.filter(project=other).count() == 3 and Annotator.objects.filter(project=other).count() == 2


def test_a_row_twice_in_a_file_lands_once_and_one_that_contradicts_it_is_refused(project: Project) -> None:
    result = bring(
        project, row("1"), row("1"), row("1", "other", "text"), row("2"), row(None, "A", "B"), row(None, "A", "B")
    )
    assert counts(result) == (3, 0, 2, 1)
    assert refusals(result) == [(3, "id", "was used further up in this file for other content")]
    assert not Response.objects.filter(text="other").exists()


def test_ids_are_remembered_from_batch_to_batch(project: Project, small_batches: None) -> None:
    rows = [row(str(n)) for n in range(reading.BATCH)]
    result = bring(project, *rows, rows[0], row("1", "other", "text"))
    assert counts(result) == (reading.BATCH, 0, 1, 1) and refusals(result)[0][0] == reading.BATCH + 2


# --- Ids ----------------------------------------------------------------------------------------------


def test_an_id_is_text_and_numbers_become_it(project: Project) -> None:
    long = "x" * 200
    given = [row(None, id=7), row(None, "A", "B", id="7"), row(None, id=long), row(None, id="ä"), row(None, id="Ä")]
    result = bring(project, *given, row(None, id=long + "x"), row(None, id=1.5))
    assert counts(result) == (4, 0, 0, 3)
    assert [field for _, field, _ in refusals(result)] == ["id", "id", "id"]
    assert set(Item.objects.values_list("external_id", flat=True)) == {"7", long, "ä", "Ä"}


def test_external_id_comes_before_id_and_an_empty_one_is_none(project: Project) -> None:
    bring(project, row("plain", external_id="own"), row("", "A", "B"), row(None, "C", "D", id=None))
    names = sorted(Item.objects.values_list("external_id", flat=True))
    assert names[0] == "own" and all(name.startswith("sha-") for name in names[1:]) and len(names) == 3


# --- Pairing ------------------------------------------------------------------------------------------


def compared() -> set[tuple[int, int]]:
    """The live pairs, as places in the row."""
    live = Pair.objects.filter(deleted_at=None)
    return {(int(a), int(b)) for a, b in live.values_list("first__text", "second__text")}


@pytest.mark.parametrize(
    ("number", "pairing", "expected"),
    [
        (2, "auto", {(0, 1)}),
        (2, "ring", {(0, 1)}),
        (2, "first", {(0, 1)}),
        (3, "ring", {(0, 1), (1, 2), (0, 2)}),
        (4, "auto", set(combinations(range(4), 2))),
        (4, "first", {(0, 1), (0, 2), (0, 3)}),
        (5, "auto", {(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)}),
        (5, "all", set(combinations(range(5), 2))),
    ],
)
def test_which_responses_are_compared(
    project: Project, number: int, pairing: str, expected: set[tuple[int, int]]
) -> None:
    result = bring(project, row("1", *map(str, range(number))), pairing=pairing)
    assert compared() == expected and result["tasks"] == len(expected)


def test_pairs_that_the_row_names_and_those_with_votes_are_compared(project: Project) -> None:
    votes = [{"annotator": "w", "first": 3, "second": 1, "value": 1}]
    bring(project, row("1", "0", "1", "2", "3", pairs=[[2, 0], [0, 2]], votes=votes), pairing="all")
    assert compared() == {(0, 2), (1, 3)}


def test_the_same_text_from_two_models_is_two_responses_and_no_pair(project: Project) -> None:
    same = [{"text": "0", "model": "m1"}, {"text": "0 ", "model": "m2"}, {"text": "2", "model": "m1"}]
    bring(project, row(None, "x") | {"responses": same})
    assert compared() == {(0, 2)} and Response.objects.count() == 3 and Pair.objects.count() == 2


def test_more_than_a_hundred_responses_are_refused(project: Project) -> None:
    result = bring(project, row("1", *map(str, range(101))), row("2", *map(str, range(100))), pairing="first")
    assert counts(result) == (1, 0, 0, 1) and refusals(result)[0][2] == "has 101; at most 100"
    assert project.task_count == 99


@pytest.mark.parametrize("count", range(2, 9))
def test_a_ring_visits_each_response_twice_and_joins_them_all(count: int) -> None:
    pairs = paired(count, "ring")
    places = [place for pair in pairs for place in pair]
    assert all(a < b for a, b in pairs) and all(places.count(n) == (1 if count == 2 else 2) for n in range(count))


def test_items_with_very_many_pairs_fit_into_statements_of_few_parameters(project: Project) -> None:
    rows = [row(str(n), *map(str, range(100))) for n in range(6)]
    if connection.vendor == "sqlite":
        connection.connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 6000)
    assert bring(project, *rows, pairing="all")["tasks"] == 6 * 4950
    assert bring(project, *rows, pairing="ring")["tasks"] == 6 * (100 - 4950)
    assert bring(project, *rows, pairing="all")["tasks"] == 6 * (4950 - 100)


def test_texts_that_a_database_might_read_otherwise_stay_as_they_are(project: Project) -> None:
    odd = ["a\tb", "line\nline\r\n", "\\N", "\\.", "back\\slash \\t", "100 % of %s", "ü\u2028\U0001f600"]
    rows = [
        row(f"{n}\\", text, f"{text} other", prompt=f"{text}?", metadata={"odd": text}) for n, text in enumerate(odd)
    ]
    assert bring(project, *rows)["created"] == len(odd)
    for n, text in enumerate(odd):
        item = Item.objects.get(external_id=f"{n}\\")
        assert item.prompt[0]["content"] == f"{text}?" and item.metadata == {"odd": text}
        assert [response.text for response in item.responses.order_by("position")] == [text, f"{text} other"]


def test_another_import_between_two_batches_is_seen(project: Project, small_batches: None) -> None:
    run = importing.request_import(project=project, user=None, path=file_of([row(str(n)) for n in range(4500)]))
    worker, (first, second, third) = under_way(run)
    worker.land(first)
    assert worker.alone
    bring(project, row("2500", "other", "text"), row("5000"))
    worker.land(second)
    assert not worker.alone and worker.counts["created"] == 3999 and worker.counts["updated"] == 1
    worker.land(third)
    assert Item.objects.filter(project=project).count() == 4501
    in_order(project)


def test_an_id_that_comes_again_in_a_later_batch_is_not_new(project: Project, small_batches: None) -> None:
    rows = [*(row(str(n)) for n in range(2100)), row("1"), row("2")]
    assert counts(bring(project, *rows)) == (2100, 0, 2, 0)


def test_the_planner_is_told_of_a_project_that_grows_while_ids_are_looked_up(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BATCH", 10)
    monkeypatch.setattr(reading, "REMEMBERED", 35)
    monkeypatch.setattr(doing, "TOLD_FROM", 30)
    told: list[int] = []

    def count(*_models: object) -> None:
        told.append(Item.objects.filter(project=project).count())

    monkeypatch.setattr(bulk, "refresh_statistics", count)
    bring(project, *(row(str(n)) for n in range(95)))
    assert told == [30, 60], "from the batch on in which an id is not remembered, and when the items have doubled"
    told.clear()
    bring(project, *(row(f"more {n}") for n in range(65)))
    assert told == [95 + 30, 95 + 60]
    told.clear()
    bring(project, *(row(str(n)) for n in range(95)))
    assert not told


# --- Broken off ---------------------------------------------------------------------------------------


def under_way(run: Run) -> tuple[doing.Import, list[reading.Batch]]:
    """A run in a worker's hands, and the batches that it will land."""
    claimed = running.claim(str(run.pk))
    assert claimed is not None
    path = run.folder / "upload"
    reader = sources.reader_for(path, "touchstone", {})
    rows = sources.outcomes(path, reader, sources.options_for(reader, {}, None))
    mine = doing.Import(claimed, running.Report(claimed, claimed.holder), "touchstone")
    return mine, list(reading.batches(rows, pairing="auto", kind=run.project.kind, after=0))


def test_an_import_that_was_broken_off_ends_with_the_same_rows(project: Project, small_batches: None) -> None:
    rows = [row(str(n), votes=[{"annotator": "w", "value": 1}]) if n % 500 else b"bad" for n in range(4500)]
    path = file_of([*rows, row("1", "other", "text")])
    run = importing.request_import(project=project, user=None, path=path)
    worker, (first, second, *_) = under_way(run)
    worker.land(first)
    worker.reject(second.refused)
    Run.objects.filter(pk=run.pk).update(state=Run.State.QUEUED)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded" and counts(run.result) == (4491, 0, 0, 10) and run.result["votes"] == 4491
    lines = [orjson.loads(line)["line"] for line in (run.folder / "rejected.jsonl").read_bytes().splitlines()]
    assert lines == [*range(1, 4500, 500), 4501] and Annotation.objects.count() == 4491
    in_order(project)


def test_an_overlap_that_is_changed_meanwhile_holds_for_the_rows_to_come(project: Project, small_batches: None) -> None:
    run = importing.request_import(project=project, user=None, path=file_of([row(str(n)) for n in range(2500)]))
    worker, (first, second, *_) = under_way(run)
    worker.land(first)
    Project.objects.filter(pk=project.pk).update(overlap=3)
    worker.land(second)
    assert [Task.objects.filter(overlap=n).count() for n in (1, 3)] == [2000, 500]


# --- Any mixture --------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["A", "B", "C", "Ü \u2028\U0001f600", " A"])
GOOD = st.builds(
    lambda name, texts, source: row(name, *texts, metadata={"source": source}),
    st.sampled_from(["1", "2", "3", None]),
    st.lists(TEXTS, min_size=2, max_size=4, unique_by=str.strip),
    st.integers(0, 1),
)
MIXTURES = st.lists(GOOD | st.sampled_from(sorted(BAD)), min_size=1, max_size=12)


def expected(mixture: list[Any]) -> tuple[list[int], int]:
    """Lines that are refused, and how many items there are: what a reader of the file would say."""
    first: dict[Any, Any] = {}
    refused = []
    for line, one in enumerate(mixture, 1):
        if isinstance(one, bytes):
            refused.append(line)
            continue
        name = one.get("id", orjson.dumps(one))
        if first.setdefault(name, one) != one:
            refused.append(line)
    return refused, len(first)


@pytest.mark.django_db
@examples(max_examples=40, deadline=None)
@given(mixture=MIXTURES)
def test_any_mixture_gives_exactly_its_good_rows_and_nothing_on_the_second_time(mixture: list[Any]) -> None:
    project = make_project(f"p{Project.objects.count()}")
    refused, items = expected(mixture)
    result = bring(project, *mixture, format="touchstone")
    assert [line for line, _, _ in refusals(result)] == refused
    assert counts(result) == (items, 0, len(mixture) - len(refused) - items, len(refused))
    assert project.item_count == items
    before = snapshot(project)
    assert counts(bring(project, *mixture, format="touchstone")) == (0, 0, len(mixture) - len(refused), len(refused))
    assert snapshot(project) == before
