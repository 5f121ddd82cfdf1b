"""The import as a person meets it: choose a file, look at its first rows, import it, read the report."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from curation.models import Annotation, Item, Project, Response, Run, User
from curation.services import importing, running
from tests.cast import Cast, make_project
from tests.imports import counts, in_order, row
from tests.test_people import browser

GOOD = [row("1", votes=[{"annotator": "w", "value": 1}]), row("2", "A <b>bold</b>", {"text": "B", "model": "llama"})]


def jsonl(*rows: Any) -> bytes:
    return b"\n".join(one if isinstance(one, bytes) else orjson.dumps(one) for one in rows)


def upload(client: Client, project: Project, data: bytes, name: str = "pairs.jsonl", **more: bytes) -> Any:
    """POST the upload form."""
    files = {"file": SimpleUploadedFile(name, data)}
    files |= {field: SimpleUploadedFile(f"{field}.jsonl", given) for field, given in more.items()}
    return client.post(f"/projects/{project.slug}/imports/", files)


def uploaded(client: Client, project: Project, data: bytes, name: str = "pairs.jsonl", **more: bytes) -> str:
    """The address of the preview of an upload."""
    reply = upload(client, project, data, name, **more)
    assert reply.status_code == 302, reply.content.decode()
    return reply["Location"]


def page(client: Client, address: str, status: int = 200, **headers: str) -> str:
    reply = client.get(address, headers=headers)
    assert reply.status_code == status
    return reply.content.decode()


def press_import(client: Client, address: str, **options: str) -> Any:
    """Press Import on a preview: its address carries what the hidden fields of the form do."""
    parts = urlsplit(address)
    carried = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return client.post(parts.path, carried | options)


def imported(client: Client, address: str, **options: str) -> Run:
    """The run that pressing Import started, done."""
    reply = press_import(client, address, **options)
    assert reply.status_code == 302, reply.content.decode()
    run = Run.objects.get(pk=reply["Location"].rstrip("/").split("/")[-1])
    running.execute(str(run.pk))
    run.refresh_from_db()
    return run


@pytest.fixture
def mia(cast: Cast) -> Client:
    return browser(cast.mia)


# --- The whole way ------------------------------------------------------------------------------------


def test_from_a_chosen_file_to_its_report(cast: Cast, mia: Client) -> None:
    address = uploaded(mia, cast.project, jsonl(*GOOD, b"oops", row("3", "A", "A")))
    shown = page(mia, address)
    assert "pairs.jsonl" in shown and "Nothing is written yet" in shown and not Item.objects.exists()
    assert "Recognised: <strong>Touchstone: prompt and responses</strong>" in shown
    assert (
        "2 refused" in shown and "The file has 4 rows" in shown and "is not JSON" in shown and "are identical" in shown
    )
    assert "Question 1?" in shown and "A &lt;b&gt;bold&lt;/b&gt;" in shown and "llama" in shown and "1 vote" in shown
    run = imported(mia, address)
    assert counts(run.result) == (2, 0, 0, 2) and run.created_by == cast.mia
    report = page(mia, f"/projects/{cast.project.slug}/imports/runs/{run.pk}/")
    assert "Succeeded" in report and "pairs.jsonl" in report and "Refused rows" in report and "Annotate now" in report
    assert "id: 3" in report and "hx-get" not in report
    in_order(cast.project)


def test_the_refused_rows_are_a_file_to_download(cast: Cast, mia: Client) -> None:
    run = imported(mia, uploaded(mia, cast.project, jsonl(GOOD[0], b"oops")))
    address = f"/projects/{cast.project.slug}/imports/runs/{run.pk}/rejected.jsonl"
    reply = mia.get(address)
    assert reply["Content-Type"] == "application/x-ndjson" and "attachment" in reply["Content-Disposition"]
    [refused] = [orjson.loads(line) for line in b"".join(reply).splitlines()]
    assert (refused["line"], refused["excerpt"]) == (2, "oops") and "is not JSON" in refused["reason"]
    clean = imported(mia, uploaded(mia, cast.project, jsonl(GOOD[0])))
    assert "nothing was rejected" in page(mia, address.replace(str(run.pk), str(clean.pk)), 404).lower()


def test_the_same_file_again_says_that_nothing_changed(cast: Cast, mia: Client) -> None:
    runs = [imported(mia, uploaded(mia, cast.project, jsonl(*GOOD))) for _ in range(2)]
    assert counts(runs[1].result) == (0, 0, 2, 0) and Annotation.objects.count() == 1
    report = page(mia, f"/projects/{cast.project.slug}/imports/runs/{runs[1].pk}/")
    assert "Every row was good" in report and "The project had them all already" in report
    listed = page(mia, f"/projects/{cast.project.slug}/imports/")
    assert listed.count('href="/projects/helpfulness/imports/runs/') == 2 and "Latest imports" in listed


def test_the_preview_looks_at_no_more_than_the_first_rows(cast: Cast, mia: Client) -> None:
    address = uploaded(mia, cast.project, jsonl(*(row(str(n)) for n in range(300))))
    shown = page(mia, address)
    assert "Looked at the first 200 rows" in shown and "Question 4?" in shown and "Question 5?" not in shown
    assert imported(mia, address).result["created"] == 300


# --- Options ------------------------------------------------------------------------------------------

SHEET = "frage;erste;zweite;nr;besser\nWarum?;Ä;B;7;a\nWozu?;C;;8;b\n".encode()
MAPPING = {"prompt": "frage", "response_a": "erste", "response_b": "zweite", "id": "nr", "winner": "besser"}


def test_a_sheet_of_any_columns_is_mapped_on_the_preview(cast: Cast, mia: Client) -> None:
    address = uploaded(mia, cast.project, SHEET, "bogen.csv")
    shown = page(mia, address)
    assert "It cannot be imported like this" in shown and "frage, erste, zweite, nr, besser" in shown
    assert '<option value="frage">frage</option>' in shown and ">Import</button>" not in shown
    mapped = page(mia, address + "".join(f"&{role}={column}" for role, column in MAPPING.items()))
    assert "Warum?" in mapped and "zweite" in mapped and "is empty" in mapped and ">Import</button>" in mapped
    assert '<input type="hidden" name="response_a" value="erste">' in mapped
    run = imported(mia, address, **MAPPING)
    assert counts(run.result) == (1, 0, 0, 1) and run.params["mapping"] == MAPPING
    assert Item.objects.get().external_id == "7" and Annotation.objects.get().preferences.get().value == -1
    assert list(Response.objects.values_list("text", flat=True)) == ["Ä", "B"]


def test_a_format_and_a_pairing_are_chosen_on_the_preview(cast: Cast, mia: Client) -> None:
    address = uploaded(mia, cast.project, jsonl(row("1", *"ABCDE")))
    assert "5 pairs" in page(mia, address) and "10 pairs" in page(mia, f"{address}&pairing=all")
    assert "Chosen by you" in page(mia, f"{address}&format=touchstone")
    assert "All good" in page(mia, address) and "1 refused" in page(mia, f"{address}&format=trl-preference")
    assert imported(mia, address, pairing="all").result["tasks"] == 10


def test_options_that_there_are_not_are_refused(cast: Cast, mia: Client) -> None:
    address = uploaded(mia, cast.project, jsonl(*GOOD))
    assert press_import(mia, address, format="parchment").status_code == 422
    assert press_import(mia, address, prompt="no-such-column").status_code == 422
    assert not Run.objects.exists() and page(mia, address)


def test_judgements_are_shown_and_land_on_the_pairs_that_are_there(cast: Cast, mia: Client) -> None:
    imported(mia, uploaded(mia, cast.project, jsonl(*GOOD)))
    address = uploaded(mia, cast.project, jsonl({"id": "1", "judge": "gpt-4", "choice": "b"}))
    shown = page(mia, address)
    assert "Judgements" in shown and "gpt-4" in shown and "<td>second</td>" in shown
    assert imported(mia, address).result["votes"] == 1


def test_a_companion_file_comes_along(cast: Cast, mia: Client) -> None:
    given = jsonl({"id": "1", "topic": "tea", "response_a": "a1", "response_b": "a2"})
    alone = uploaded(mia, cast.project, given)
    assert "is an id: give the file of arguments too" in page(mia, alone)
    assert "needs its companion file" in press_import(mia, alone).content.decode()
    texts = jsonl({"arg": "a1", "text": "Tea is old."}, {"arg": "a2", "text": "Tea is calm."})
    address = uploaded(mia, cast.project, given, companion=texts)
    assert "Tea is calm." in page(mia, address) and "with companion.jsonl" in page(mia, address)
    assert imported(mia, address).result["created"] == 1


# --- What goes wrong ----------------------------------------------------------------------------------


def test_a_form_without_a_file_or_with_an_empty_one_says_so(cast: Cast, mia: Client) -> None:
    reply = mia.post(f"/projects/{cast.project.slug}/imports/", {})
    assert reply.status_code == 422 and "This field is required" in reply.content.decode()
    empty = upload(mia, cast.project, b"")
    assert empty.status_code == 422 and "empty" in empty.content.decode()


def test_a_file_above_the_limit_is_refused_in_words(cast: Cast, mia: Client, settings: Any) -> None:
    settings.IMPORT_UPLOAD_MB = 1
    reply = upload(mia, cast.project, b"x" * (2**20 + 1))
    assert reply.status_code == 422 and "The file is larger than 1 MB." in reply.content.decode()


def test_a_file_of_nothing_but_blank_lines_cannot_be_imported(cast: Cast, mia: Client) -> None:
    address = uploaded(mia, cast.project, b"\n \n")
    assert "The file has no rows" in page(mia, address)
    assert press_import(mia, address).status_code == 422


def test_an_upload_is_for_the_one_who_made_it(cast: Cast, mia: Client) -> None:
    address = uploaded(mia, cast.project, jsonl(*GOOD))
    other = browser(cast.olga)
    page(other, address, 404)
    assert press_import(other, address).status_code == 404
    assert not Run.objects.exists() and page(mia, address)


def test_a_companion_of_another_person_is_not_found(cast: Cast, mia: Client) -> None:
    theirs = importing.keep_upload([b'{"arg": "a1", "text": "secret"}'], user=cast.olga)
    address = uploaded(mia, cast.project, jsonl(*GOOD))
    page(mia, f"{address}&companion={theirs}", 404)
    page(mia, f"{address}&companion=../../secret", 404)
    assert press_import(mia, address, companion=str(theirs)).status_code == 404


def test_an_upload_is_gone_once_it_was_imported(cast: Cast, mia: Client) -> None:
    address = uploaded(mia, cast.project, jsonl(*GOOD))
    imported(mia, address)
    assert "this upload is gone; choose the file again" in page(mia, address, 404).lower()
    assert press_import(mia, address).status_code == 404 and Run.objects.count() == 1


def test_who_may_not_import_is_turned_away(cast: Cast) -> None:
    address = f"/projects/{cast.project.slug}/imports/"
    for user, status in ((cast.vic, 403), (cast.ann, 403), (cast.zed, 404)):
        assert browser(user).get(address).status_code == status
        assert upload(browser(user), cast.project, jsonl(*GOOD)).status_code == status
    assert not list((Run().folder.parent.parent / "uploads").glob("*/*"))


def test_a_run_of_another_project_or_kind_has_no_report_here(cast: Cast, mia: Client) -> None:
    run = imported(mia, uploaded(mia, cast.project, jsonl(*GOOD)))
    frozen = Run.objects.create(project=cast.project, method="freeze")
    elsewhere = Run.objects.create(project=make_project("other"), method="import")
    for pk, status in ((run.pk, 200), (frozen.pk, 404), (elsewhere.pk, 404)):
        page(mia, f"/projects/{cast.project.slug}/imports/runs/{pk}/", status)


# --- While it goes on ---------------------------------------------------------------------------------


def report_of(run: Run, user: User, **headers: str) -> str:
    return page(browser(user), f"/projects/{run.project.slug}/imports/runs/{run.pk}/", **headers)


def test_the_report_asks_for_itself_until_the_run_has_ended(cast: Cast, mia: Client) -> None:
    reply = press_import(mia, uploaded(mia, cast.project, jsonl(*GOOD)))
    run = Run.objects.get()
    assert reply["Location"] == f"/projects/{cast.project.slug}/imports/runs/{run.pk}/"
    waiting = report_of(run, cast.mia, HX_Request="true")
    assert "<html" not in waiting and waiting.strip().startswith('<div class="stack stack--l" id="report"')
    assert f'hx-get="{reply["Location"]}" hx-trigger="every 1s"' in waiting and "Waiting for a worker" in waiting
    Run.objects.update(state=Run.State.RUNNING, done=50, total=200, result={"created": 12_345})
    going = report_of(run, cast.mia, HX_Request="true")
    assert "25 %" in going and re.search(r"<dt>created</dt><dd>12\s?345|<dt>created</dt><dd>12.345", going)
    Run.objects.update(state=Run.State.QUEUED)
    running.execute(str(run.pk))
    done = report_of(run, cast.mia, HX_Request="true")
    assert "hx-get" not in done and "Succeeded" in done and "<html" not in done
    assert "<html" in report_of(run, cast.mia)


def test_a_report_offers_what_its_reader_may_do(cast: Cast, mia: Client) -> None:
    press_import(mia, uploaded(mia, cast.project, jsonl(*GOOD)))
    run = Run.objects.get()
    assert ">Cancel</button>" in report_of(run, cast.mia) and ">Cancel</button>" not in report_of(run, cast.vic)
    running.cancel(run)
    assert "Import another" in report_of(run, cast.mia) and "Import another" not in report_of(run, cast.vic)


def test_a_run_that_failed_says_why_and_can_be_tried_again(cast: Cast, mia: Client) -> None:
    given = jsonl({"id": "1", "topic": "tea", "response_a": "a1", "response_b": "a2"})
    run = imported(mia, uploaded(mia, cast.project, given, companion=b'{"arg": "a1"}'))
    assert run.state == "failed"
    shown = report_of(run, cast.mia)
    assert "line 1 of the companion file needs an id" in shown and ">Try again</button>" in shown


def test_the_mark_in_the_header_keeps_its_size_whatever_the_file_has(cast: Cast, mia: Client) -> None:
    address = uploaded(mia, cast.project, jsonl(*GOOD) + b"\n" * 5000)
    assert '<svg width="22" height="22"' in page(mia, address)


def test_a_file_of_which_nothing_lands_offers_no_import(cast: Cast, mia: Client) -> None:
    text = page(mia, uploaded(mia, cast.project, b"\x89PNG\r\n\x1a\n", "cat.jsonl"))
    assert "Nothing in this file can be imported" in text and "is a picture" in text
    assert ">Import</button>" not in text and "Recognised" not in text
    assert ">Import</button>" in page(mia, uploaded(mia, cast.project, jsonl(*GOOD, b"{")))
