"""The pages of curation and their API: a curator is set up, what it proposes is seen, accepted and refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from curation.models import Proposal, Run
from curation.services import running
from curation.services.curating import showing
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.curations import curated, plant
from tests.test_decide import prefer
from tests.test_people import browser


@pytest.fixture
def planted(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Cast:
    return plant(cast, monkeypatch)


@pytest.fixture
def olga(cast: Cast) -> Client:
    return browser(cast.people["olga"])


def address(cast: Cast, run: Run, name: str = "curation-run") -> str:
    return reverse(name, args=[cast.project.slug, run.pk])


def test_a_curator_is_set_up_on_its_page_and_its_proposals_are_shown(cast: Cast, olga: Client) -> None:
    for task in make_pairs(cast.project, 3):
        prefer(cast.project, "ann", task, -1)
        prefer(cast.project, "bob", task, 2)
    index = olga.get(reverse("curation", args=[cast.project.slug])).content.decode()
    assert "Nothing proposed yet" in index and "Agreement of the answers" in index
    assert "Needs vectors of an embedder" in index
    place = reverse("curation-new", args=[cast.project.slug])
    assert olga.get(f"{place}?curator=nothing").status_code == 404
    form = {"its_least": "0.9", "its_votes": "2", "its_ask_below": "5", "axis": "overall", "decided_by": "majority"}
    wrong = olga.post(f"{place}?curator=agreement", {**form, "its_least": "7", "annotators": "people"})
    assert wrong.status_code == 422 and "less than or equal to 1" in wrong.content.decode()
    assert olga.post(f"{place}?curator=agreement", {**form, "annotators": "people"}).status_code == 302
    run = Run.objects.get(method="curate")
    assert run.params["settings"] == {"least": 0.9, "votes": 2, "ask_below": 5} and run.params["accept"] is False
    running.execute(str(run.pk))
    shown = olga.get(address(cast, run)).content.decode()
    assert shown.count("data-proposal=") == 3 and "1 of 2 answers agree" in shown and "Question 2?" in shown
    assert 'role="img"' in shown and "Accept all open" in shown and "style=" not in shown
    index = olga.get(reverse("curation", args=[cast.project.slug])).content.decode()
    assert "Nothing proposed yet" not in index and address(cast, run) in index


def test_one_card_is_decided_and_comes_back_with_the_counts(planted: Cast, olga: Client) -> None:
    run = curated(planted)
    first = Proposal.objects.filter(run=run, action="flip").order_by("-score")[0]
    form = {"to": "accepted", "proposal": first.pk, "action": "flip"}
    said = olga.post(address(planted, run, "curation-decide"), form, HTTP_HX_REQUEST="true")
    body = said.content.decode()
    assert f'id="proposal-{first.pk}"' in body and 'data-proposal="accepted"' in body and "Open again" in body
    assert 'hx-swap-oob="true"' in body and "3 open, 1 accepted, 0 refused" in body
    assert olga.post(address(planted, run, "curation-decide"), {"to": "burnt"}).status_code == 422
    other = {**form, "proposal": 10**12}
    assert olga.post(address(planted, run, "curation-decide"), other).status_code == 404


def test_all_of_a_filter_are_decided_and_the_page_tells_what_to_do_next(planted: Cast, olga: Client) -> None:
    run = curated(planted)
    form = {"to": "accepted", "action": "drop", "state": "open", "low": "0.3"}
    after = olga.post(address(planted, run, "curation-decide"), form, follow=True).content.decode()
    assert "3 accepted." in after and Proposal.objects.filter(run=run, state="accepted").count() == 3
    olga.post(address(planted, run, "curation-decide"), {"to": "refused", "action": "drop"})
    done = olga.get(f"{address(planted, run)}?action=drop").content.decode()
    assert "All of these are decided" in done and "make a version that follows" in done
    assert olga.get(f"{address(planted, run)}?action=drop&state=all").content.decode().count("data-proposal=") == 4
    version = olga.get(f"{reverse('version-new', args=[planted.project.slug])}?curated={run.pk}").content.decode()
    assert f'<option value="{run.pk}" selected>' in version and "3 of 16 accepted" in version
    assert '<option value="people" selected>' in version, "the answers that the curator read"
    others = curated(planted, annotators="all")
    version = olga.get(f"{reverse('version-new', args=[planted.project.slug])}?curated={others.pk}").content.decode()
    assert '<option value="all" selected>' in version
    assert olga.get(f"{reverse('version-new', args=[planted.project.slug])}?curated=nothing").status_code == 200
    made = olga.post(
        reverse("version-new", args=[planted.project.slug]),
        {
            "name": "preferences", "target": "trl-preference", "test_share": 0, "seed": 0, "annotators": "people",
            "decided_by": "majority", "labels": "decided", "axis": "overall", "curated": [str(run.pk)],
        },
    )  # fmt: skip
    assert made.status_code == 302, made.content.decode()[:2000]


def test_pages_of_proposals_go_on_by_score_and_id(
    planted: Cast,
    olga: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(showing, "SHOWN", 3)
    run = curated(planted)
    Proposal.objects.filter(run=run, action="ask").update(score=0.5)
    seen, at = [], "?action=ask"
    for _ in range(2):
        response = olga.get(address(planted, run) + at)
        seen += [one["it"].pk for one in response.context["cards"]]
        at = response.context["following"]
    assert at == "" and seen == sorted(seen, reverse=True) and len(set(seen)) == 4
    strange = olga.get(f"{address(planted, run)}?action=x&state=y&low=nan&high=z&after=1:x")
    assert strange.status_code == 200


def test_readers_see_proposals_and_decide_nothing(planted: Cast) -> None:
    run, vic = curated(planted), browser(planted.people["vic"])
    shown = vic.get(address(planted, run)).content.decode()
    assert "data-proposal=" in shown and 'name="to"' not in shown


# --- API ----------------------------------------------------------------------------------------------


def test_proposals_are_listed_by_cursor_and_streamed(planted: Cast) -> None:
    run, client = curated(planted), calling(planted.people["olga"])
    place = f"/api/v1/projects/{planted.project.slug}/proposals"
    ids, cursor = [], ""
    while cursor is not None:
        page = client.get(place, {"run": str(run.pk), "action": "flip", "limit": 3, "cursor": cursor}).json()
        ids += [one["id"] for one in page["results"]]
        cursor = page["next"]
    assert ids == sorted(Proposal.objects.filter(run=run, action="flip").values_list("pk", flat=True))
    streamed = client.get(place, {"run": str(run.pk)}, HTTP_ACCEPT="application/x-ndjson")
    lines = [json.loads(line) for line in b"".join(streamed.streaming_content).splitlines()]  # type: ignore[attr-defined]
    assert len(lines) == 16 and lines[0]["cause"] == "planted keep" and lines[0]["state"] == "open"
    for wrong in ({}, {"run": "x"}, {"run": str(run.pk), "action": "burn"}, {"run": str(run.pk), "state": "lost"}):
        assert client.get(place, wrong).status_code == 422, wrong


def test_proposals_are_decided_over_the_api(planted: Cast) -> None:
    run, client = curated(planted), calling(planted.people["sol"])
    place = f"/api/v1/projects/{planted.project.slug}/proposals"

    def said(verb: str, **body: Any) -> Any:
        return client.post(f"{place}/{verb}", {"run": str(run.pk), **body}, format="json")

    assert said("accept", action="flip", low=0.2).json() == {
        "decided": 3, "states": {**run.result["states"], "flip": {"open": 1, "accepted": 3}},
    }  # fmt: skip
    first = Proposal.objects.filter(run=run, action="drop").order_by("pk")[0]
    assert said("refuse", ids=[first.pk]).json()["decided"] == 1
    assert said("reopen", ids=[first.pk]).json()["decided"] == 1
    for wrong in ({"ids": []}, {"action": "burn"}, {"low": "x"}, {"low": 2, "high": 1}, {"ids": [0]}):
        assert said("accept", **wrong).status_code in (400, 422), wrong
    assert client.post(f"{place}/accept", {}, format="json").status_code in (400, 422)


def test_a_run_is_started_over_the_api_like_any_other(planted: Cast) -> None:
    client = calling(planted.people["sol"])
    place = f"/api/v1/projects/{planted.project.slug}/runs"
    body: dict[str, Any] = {"method": "curate", "params": {"curator": "balance", "settings": {"by": "model"}}}
    assert client.post(place, body, format="json").status_code == 202
    body["params"]["settings"]["by"] = "luck"
    wrong = client.post(place, body, format="json")
    assert wrong.status_code == 422 and "params.settings.by" in wrong.content.decode()
