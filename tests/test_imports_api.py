"""Import over REST: a file as the body or in a form, items as JSON, and what each mistake is answered with."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from curation.models import Annotation, Item, Project, Response, Run
from curation.services import importing, running
from tests.cast import Cast
from tests.conftest import calling
from tests.imports import counts, in_order, row, snapshot

NDJSON = "application/x-ndjson"


def lines(*rows: dict[str, Any] | bytes) -> bytes:
    return b"\n".join(one if isinstance(one, bytes) else orjson.dumps(one) for one in rows)


def send(cast: Cast, body: bytes, *, kind: str = NDJSON, key: str = "", **query: Any) -> Any:
    """POST a file as the body, as the service account."""
    headers = {"Idempotency-Key": key} if key else {}
    address = f"/api/v1/projects/{cast.project.slug}/import?{urlencode(query, doseq=True)}"
    return calling(cast.sol).generic("POST", address, body, content_type=kind, headers=headers)


def send_form(cast: Cast, query: str = "", **files: bytes) -> Any:
    given = {name: SimpleUploadedFile(f"{name}.jsonl", data) for name, data in files.items()}
    address = f"/api/v1/projects/{cast.project.slug}/import{query}"
    return calling(cast.sol).post(address, given, format="multipart")


def upsert(cast: Cast, items: Any, **headers: str) -> Any:
    address, body = f"/api/v1/projects/{cast.project.slug}/items", json.dumps({"items": items})
    return calling(cast.sol).generic("POST", address, body, content_type="application/json", headers=headers)


def problem(response: Any, status: int) -> list[tuple[str, str]]:
    """Field and detail of each error of a problem document."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status and body["title"] and body["detail"] and body["type"] == "about:blank"
    return [(error["field"], error["detail"]) for error in body.get("errors", [])]


# --- A file as the body -------------------------------------------------------------------------------


def test_a_small_body_is_imported_before_the_answer(cast: Cast) -> None:
    response = send(cast, lines(row("1"), b"oops", row("2"), row("3", "A", "A")), filename="mine.jsonl")
    assert response.status_code == 200
    run = response.json()
    assert run["state"] == "succeeded" and counts(run["result"]) == (2, 0, 0, 2) and run["percent"] == 100
    assert [(one["line"], one["field"]) for one in run["result"]["problems"]] == [(2, ""), (4, "responses")]
    assert (run["params"]["filename"], run["params"]["format"], run["project"]) == (
        "mine.jsonl",
        "touchstone",
        "helpfulness",
    )
    assert Run.objects.get(pk=run["id"]).created_by == cast.sol
    in_order(cast.project)


@pytest.mark.parametrize(
    "kind", ["application/octet-stream", "application/x-www-form-urlencoded", "application/json", "text/csv", ""]
)
def test_whatever_the_content_type_the_body_is_the_file(cast: Cast, kind: str) -> None:
    assert counts(send(cast, lines(row("1"), row("2")), kind=kind).json()["result"]) == (2, 0, 0, 0)


def test_the_same_body_twice_changes_nothing(cast: Cast) -> None:
    body = lines(row("1", votes=[{"annotator": "w", "value": 1}]), row("2"))
    assert send(cast, body).json()["result"]["votes"] == 1
    before = snapshot(cast.project)
    assert counts(send(cast, body).json()["result"]) == (0, 0, 2, 0) and snapshot(cast.project) == before


def test_more_than_a_thousand_rows_are_a_run_to_watch(cast: Cast) -> None:
    body = lines(*(row(str(n)) for n in range(1001)))
    response = send(cast, body)
    assert response.status_code == 202 and not Item.objects.exists()
    run = response.json()
    assert (run["state"], run["percent"], run["total"], run["unit"]) == ("queued", 0, len(body), "bytes")
    running.execute(run["id"])
    run = calling(cast.vic).get(f"/api/v1/runs/{run['id']}").json()
    assert (run["state"], run["percent"]) == ("succeeded", 100) and counts(run["result"]) == (1001, 0, 0, 0)
    in_order(cast.project)


def test_a_thousand_rows_are_done_before_the_answer(cast: Cast) -> None:
    response = send(cast, lines(*(row(str(n)) for n in range(1000))))
    assert response.status_code == 200 and response.json()["result"]["created"] == 1000


def test_a_large_file_of_few_rows_is_a_run_too(cast: Cast) -> None:
    response = send(cast, lines(*(row(str(n), "a" * 2**20, "b") for n in range(9))))
    assert response.status_code == 202


# --- What the address may say -------------------------------------------------------------------------


def test_a_format_may_be_named(cast: Cast) -> None:
    body = lines({"prompt": "?", "response_a": "A", "response_b": "B", "choice": "a"})
    found = [send(cast, body, format=name).json() for name in ("votes", "auto")]
    assert [run["params"]["format"] for run in found] == ["votes", "columns"]
    assert [run["result"]["votes"] for run in found] == [0, 1]


@pytest.mark.parametrize(("pairing", "tasks"), [("auto", 5), ("all", 10), ("ring", 5), ("first", 4)])
def test_which_responses_are_compared_may_be_named(cast: Cast, pairing: str, tasks: int) -> None:
    run = send(cast, lines(row("1", *"ABCDE")), pairing=pairing).json()
    assert run["result"]["tasks"] == tasks and run["params"]["pairing"] == pairing


def test_a_table_of_any_columns_is_read_with_a_mapping(cast: Cast) -> None:
    sheet = b"frage;x;y;nr\nWarum?;A;B;7\n"
    mapping = ["prompt=frage", "response_a=x", "response_b=y", "id=nr"]
    run = send(cast, sheet, kind="text/csv", mapping=mapping).json()
    assert run["result"]["created"] == 1 and run["params"]["format"] == "columns"
    assert Item.objects.get().external_id == "7" and list(Response.objects.values_list("text", flat=True)) == ["A", "B"]


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ({"format": "parchment"}, "format", "no format 'parchment'; there is: alpaca-eval"),
        ({"pairing": "some"}, "pairing", "must be one of auto, all, ring, first"),
        ({"mapping": "frage"}, "mapping", "wants ROLE=COLUMN, such as prompt=question, not 'frage'"),
        ({"mapping": "mood=x"}, "mapping", "'mood' is no role of a column; there is: prompt"),
        ({"mapping": "prompt=frage"}, "mapping", "no column 'frage'; there is: id, prompt"),
        ({"format": "convarg"}, "companion", "needs its companion file"),
        ({"filename": "a\0b"}, "filename", "NUL"),
    ],
)
def test_a_wrong_option_is_a_problem_that_names_it(cast: Cast, query: dict[str, str], field: str, words: str) -> None:
    [(name, detail)] = problem(send(cast, lines(row("1")), **query), 422)
    assert name == field and words in detail and not Run.objects.exists() and not Item.objects.exists()


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (b"", "file", "empty"),
        (b"\n\n", "file", "no rows"),
        (b'{"a": 1}', "format", "no known format has these fields: a"),
    ],
)
def test_a_body_that_is_no_import_is_a_problem(cast: Cast, body: bytes, field: str, words: str) -> None:
    [(name, detail)] = problem(send(cast, body), 422)
    assert name == field and words in detail


def test_a_file_above_the_limit_is_refused_and_not_kept(cast: Cast, settings: Any) -> None:
    settings.IMPORT_UPLOAD_MB = 1
    assert problem(send(cast, b"x" * (2**20 + 1)), 422) == [("file", "the file is larger than 1 MB")]
    assert list((settings.VAR_DIR / "uploads" / str(cast.sol.pk)).iterdir()) == []


def test_a_spreadsheet_is_refused_by_its_name(cast: Cast) -> None:
    run = send(cast, b"PK\x03\x04 and so on").json()
    assert run["result"]["rejected"] == 1 and "spreadsheet" in run["result"]["problems"][0]["reason"]


# --- A file in a form ---------------------------------------------------------------------------------


def test_a_file_in_a_form_is_imported_under_its_name(cast: Cast) -> None:
    response = send_form(cast, "?format=touchstone", file=lines(row("1")))
    assert response.status_code == 200
    assert response.json()["params"]["filename"] == "file.jsonl" and response.json()["result"]["created"] == 1


def test_a_companion_file_brings_the_texts(cast: Cast) -> None:
    votes = [{"annotator": "w", "choice": "b", "reason": "calm"}]
    rows = [
        {"id": f"{b}", "topic": "tea_pro", "response_a": "a1", "response_b": b, "votes": votes} for b in ("a2", "a3")
    ]
    texts = lines({"arg": "a1", "text": "Tea is old."}, {"id": "a2", "text": "Tea is calm."})
    run = send_form(cast, file=lines(*rows), companion=texts).json()
    assert counts(run["result"]) == (1, 0, 0, 1) and run["result"]["votes"] == 1
    assert run["result"]["problems"][0]["reason"] == "is not in the companion file"
    assert Annotation.objects.get().rationale == "calm" and Response.objects.filter(text="Tea is calm.").exists()


def test_a_companion_that_is_none_fails_the_run_with_its_line(cast: Cast) -> None:
    rows = lines({"id": "1", "topic": "tea", "response_a": "a1", "response_b": "a2"})
    run = send_form(cast, file=rows, companion=lines({"arg": "a1", "text": "A"}, {"arg": "a2"})).json()
    assert run["state"] == "failed" and run["error"].startswith("line 2 of the companion file needs an id")


def test_a_form_without_a_file_is_a_problem(cast: Cast) -> None:
    assert problem(send_form(cast, companion=b"x"), 422) == [("file", "is missing")]
    assert problem(send_form(cast, file=b""), 422) == [("file", "the file is empty")]


# --- Items as JSON ------------------------------------------------------------------------------------


def test_items_are_inserted_and_updated_by_their_id(cast: Cast) -> None:
    assert counts(upsert(cast, [row("1"), row("2")]).json()["result"]) == (2, 0, 0, 0)
    again = upsert(cast, [row("1", "new", "text"), row("2"), row(None, external_id="3")]).json()
    assert counts(again["result"]) == (1, 1, 1, 0) and again["params"]["filename"] == "items"
    assert set(Item.objects.values_list("external_id", flat=True)) == {"1", "2", "3"}
    in_order(cast.project)


def test_a_bad_item_is_named_by_its_place_and_the_others_land(cast: Cast) -> None:
    given = [row("1"), "a,b", row("2", "A"), 7, [1], row("3"), {"rows": [row("4")]}, row("5", "A", "B\ud800")]
    run = upsert(cast, given).json()
    assert counts(run["result"]) == (2, 0, 0, 6)
    assert [one["line"] for one in run["result"]["problems"]] == [2, 3, 4, 5, 7, 8]


@pytest.mark.parametrize("item", ["a,b", ["x"], {"rows": [row("1"), row("2")]}, {"data": {"a": [row("1")]}}, "", {}])
def test_a_single_item_is_taken_as_it_is(cast: Cast, item: Any) -> None:
    run = upsert(cast, [item]).json()
    assert counts(run["result"]) == (0, 0, 0, 1) and run["result"]["problems"][0]["line"] == 1


@pytest.mark.parametrize(
    ("items", "field", "words"),
    [
        ([], "items", "at least 1"),
        ([row("1")] * 1001, "items", "no more than 1000"),
        ("text", "items", "list of items"),
        (None, "items", "may not be null"),
        ([row("1"), row("2"), None], "items.2", "may not be null"),
    ],
)
def test_items_that_are_no_list_of_up_to_a_thousand_are_a_problem(
    cast: Cast, items: Any, field: str, words: str
) -> None:
    [(name, detail)] = problem(upsert(cast, items), 400)
    assert name == field and words in detail and not Item.objects.exists()


def test_a_body_that_is_no_json_is_a_problem(cast: Cast) -> None:
    address = f"/api/v1/projects/{cast.project.slug}/items"
    assert problem(calling(cast.sol).generic("POST", address, b"{", content_type="application/json"), 400) == []
    problem(calling(cast.sol).generic("POST", address, b"x", content_type="text/plain"), 415)


def test_a_thousand_items_are_done_before_the_answer(cast: Cast) -> None:
    assert upsert(cast, [row(str(n)) for n in range(1000)]).json()["result"]["created"] == 1000


# --- The same request again ---------------------------------------------------------------------------


def test_a_key_replays_the_first_answer_and_does_nothing_again(cast: Cast) -> None:
    body = lines(row("1"))
    first, again = send(cast, body, key="k"), send(cast, body, key="k")
    assert again.json() == first.json() and again.status_code == 200 and again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first and Run.objects.count() == 1
    assert send(cast, body, key="other").json()["result"]["unchanged"] == 1


def test_a_key_replays_items_and_is_refused_for_others(cast: Cast) -> None:
    first, again = (upsert(cast, [row("1")], **{"Idempotency-Key": "k"}) for _ in range(2))
    assert again.json() == first.json() and Run.objects.count() == 1
    [(field, _)] = problem(upsert(cast, [row("2")], **{"Idempotency-Key": "k"}), 422)
    assert field == "Idempotency-Key" and Item.objects.count() == 1


def test_a_key_of_a_refused_request_is_free_again(cast: Cast) -> None:
    problem(send(cast, lines(row("1")), key="k", format="parchment"), 422)
    assert send(cast, lines(row("1")), key="k").json()["result"]["created"] == 1


def test_a_key_replays_a_run_that_is_queued(cast: Cast) -> None:
    body = lines(*(row(str(n)) for n in range(1001)))
    first, again = send(cast, body, key="k"), send(cast, body, key="k")
    assert first.status_code == again.status_code == 202 and first.json()["id"] == again.json()["id"]
    assert Run.objects.count() == 1


def test_a_key_is_ones_own(cast: Cast) -> None:
    upsert(cast, [row("1")], **{"Idempotency-Key": "k"})
    address = f"/api/v1/projects/{cast.project.slug}/items"
    response = calling(cast.mia).post(address, {"items": [row("2")]}, headers={"Idempotency-Key": "k"})
    assert response.json()["result"]["created"] == 1


# --- Who may ------------------------------------------------------------------------------------------


def test_a_token_that_only_reads_imports_nothing(cast: Cast) -> None:
    address = f"/api/v1/projects/{cast.project.slug}/import"
    problem(calling(cast.sol, "read").generic("POST", address, lines(row("1")), content_type=NDJSON), 403)
    problem(calling(cast.ann).generic("POST", address, lines(row("1")), content_type=NDJSON), 403)
    problem(calling(cast.zed).generic("POST", address, lines(row("1")), content_type=NDJSON), 404)
    assert not Item.objects.exists()


def test_one_more_row_than_small_is_not_small(project: Project, settings: Any) -> None:
    folder = settings.VAR_DIR / "uploads" / "0"
    for number, small in ((1000, True), (1001, False)):
        name = importing.keep_upload(io.BytesIO(lines(*(row(str(n)) for n in range(number)))), user=None)
        assert importing.is_small(folder / str(name)) is small
