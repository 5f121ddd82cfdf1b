"""The board of a plan, the form that starts one, two side by side, and the same over the API and as a command."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from curation.models import AuditEvent, Item, Membership, ModelVersion, Plan, PlanPair, Source, Task
from tests.cast import Cast, make_pairs, make_project
from tests.conftest import calling
from tests.plans import SMALL, begin, install, populate, waiting_plan
from tests.test_people import browser

pytestmark = pytest.mark.django_db


@pytest.fixture
def embedder(db: None, monkeypatch: Any) -> ModelVersion:
    return install(monkeypatch)


@pytest.fixture
def olga(cast: Cast) -> Client:
    return browser(cast.olga)


def test_an_empty_project_says_what_to_do_next(cast: Cast, olga: Client) -> None:
    root = f"/projects/{cast.project.slug}/plans/"
    assert "Import pairs" in olga.get(root).content.decode()
    seen = browser(cast.vic).get(root).content.decode()
    assert "Managers start them here" in seen and '<form method="post"' not in seen.split("<main")[1]


def test_the_board_tells_gates_accuracies_and_what_it_waits_for(cast: Cast, olga: Client) -> None:
    make_pairs(cast.project, 3)
    plan = waiting_plan(cast.project, cast.olga)
    shown = olga.get(f"/projects/{cast.project.slug}/plans/{plan.pk}/").content.decode()
    assert "It waits for people: 1 pair to verify" in shown and f"/work/queues/{plan.queue_id}/" in shown
    assert "75.0 %" in shown and "83.3 %" in shown and "of 24" in shown
    assert 'aria-label="Accuracy on held-out gold: round 1 75.0 %' in shown
    assert "turned" in shown and "2 of 500" in shown.replace("\u202f", "") and "Go on without the rest" in shown
    assert 'hx-trigger="every 5s"' in shown
    part = olga.get(f"/projects/{cast.project.slug}/plans/{plan.pk}/", HTTP_HX_REQUEST="true").content.decode()
    assert "<html" not in part and 'id="board"' in part
    seen = browser(cast.vic).get(f"/projects/{cast.project.slug}/plans/{plan.pk}/").content.decode()
    assert "Go on without the rest" not in seen and "/work/queues/" not in seen


def test_the_form_starts_a_plan_and_shows_what_is_refused(cast: Cast, olga: Client, embedder: ModelVersion) -> None:
    populate(cast.project, 40)
    root = f"/projects/{cast.project.slug}/plans/"
    given = {**SMALL, "embedder": embedder.pk, "trainer": "frozen-head", "learn": "both", "labels": "imported"}
    given |= {"answers": 1, "samples": 4, "judged": 0, "train_most": 0, "budget": 0, "audit": 0.02, "dataset": "clean"}
    refused = olga.post(root, {**given, "source": "nowhere"})
    assert refused.status_code == 422 and "No items of this source here" in refused.content.decode()
    done = olga.post(root, given)
    plan = Plan.objects.get()
    assert done.status_code == 302 and done["Location"] == f"{root}{plan.pk}/"
    assert (plan.params["dataset"], plan.params["validation"], plan.stage) == ("clean", 12, "embed")
    assert f"Plan {plan.pk}" in olga.get(root).content.decode()
    assert AuditEvent.objects.filter(act="plan.started", thing=str(plan.pk)).exists()


def test_buttons_stop_repeat_and_send_on(cast: Cast, olga: Client, embedder: ModelVersion) -> None:
    populate(cast.project, 40)
    plan = begin(cast.project, cast.olga, embedder)
    root = f"/projects/{cast.project.slug}/plans/"
    assert olga.post(f"{root}{plan.pk}/stop/").status_code == 302
    plan.refresh_from_db()
    assert plan.state == Plan.State.CANCELLED
    assert "has already ended" in olga.post(f"{root}{plan.pk}/go-on/", follow=True).content.decode()
    again = olga.post(f"{root}{plan.pk}/again/", {"pool": cast.project.slug})
    other = Plan.objects.get(again_of=plan)
    assert again["Location"] == f"{root}{other.pk}/" and other.state == Plan.State.RUNNING
    assert olga.post(f"{root}{other.pk}/go-on/").status_code == 302


def test_run_again_takes_a_pool_of_another_project_that_the_person_manages(
    cast: Cast, olga: Client, embedder: ModelVersion
) -> None:
    populate(cast.project, 40)
    plan = begin(cast.project, cast.olga, embedder)
    olga.post(f"/projects/{cast.project.slug}/plans/{plan.pk}/stop/")
    elsewhere, strange, read = (make_project(slug) for slug in ("elsewhere", "strange", "read"))
    Membership.objects.create(project=elsewhere, user=cast.olga, role="manager")
    Membership.objects.create(project=read, user=cast.olga, role="viewer")
    populate(elsewhere, 40, seed=7)
    source = Source.objects.create(project=elsewhere, name="new: pool")
    Item.objects.filter(project=elsewhere).update(source=source)
    page = f"/projects/{cast.project.slug}/plans/{plan.pk}/"
    shown = olga.get(page).content.decode()
    assert 'value="elsewhere:new: pool"' in shown and 'value="strange"' not in shown and 'value="read"' not in shown
    for other in (strange, read):
        assert olga.post(f"{page}again/", {"pool": other.slug}).status_code in (403, 404)
    done = olga.post(f"{page}again/", {"pool": "elsewhere:new: pool"})
    made = Plan.objects.get(again_of=plan)
    assert done["Location"] == f"/projects/elsewhere/plans/{made.pk}/"
    assert (made.project, made.params["source"], made.seed) == (elsewhere, "new: pool", plan.seed)
    assert made.last_task == Task.objects.filter(project=elsewhere).latest("pk").pk
    assert f"plan {plan.pk} of another project" in olga.get(done["Location"]).content.decode()
    assert elsewhere.protocol is not None
    elsewhere.protocol.axes = [{**elsewhere.protocol.axes[0], "name": "taste"}]
    elsewhere.protocol.save()
    refused = olga.post(f"{page}again/", {"pool": "elsewhere"}, follow=True).content.decode()
    assert "Axis: must be one of: taste." in refused and Plan.objects.count() == 2


def test_two_plans_side_by_side(cast: Cast, olga: Client) -> None:
    make_pairs(cast.project, 3)
    one, other = waiting_plan(cast.project, cast.olga), waiting_plan(cast.project, cast.olga, "new pool")
    other.params = {**other.params, "rounds": 9}
    other.save()
    PlanPair.objects.filter(plan=other, role="gold").update(label="second")
    root = f"/projects/{cast.project.slug}/plans/compare/"
    shown = olga.get(root, {"one": one.pk, "other": other.pk}).content.decode()
    assert "rounds" in shown and "new pool" in shown and "Errors pull pairs: errors" in shown
    assert "2 pairs verified in both, 1 with another label" in shown
    assert olga.get(root, {"one": one.pk}).status_code == 404
    assert "The same in both" in olga.get(root, {"one": one.pk, "other": one.pk}).content.decode()


def test_the_api_starts_reads_moves_and_stops(cast: Cast, embedder: ModelVersion) -> None:
    populate(cast.project, 40)
    client = calling(cast.mia)
    root = f"/api/v1/projects/{cast.project.slug}/plans"
    made = client.post(root, {"params": {**SMALL, "embedder": embedder.pk}}, format="json")
    assert made.status_code == 201, made.content
    plan = made.json()
    assert (plan["state"], plan["stage"], plan["version"]) == ("running", "embed", None)
    assert [one["id"] for one in client.get(root).json()["results"]] == [plan["id"]]
    read = client.get(f"{root}/{plan['id']}").json()
    assert [step["stage"] for step in read["steps"]] == ["embed"] and read["labels"] == 0
    assert client.post(f"{root}/{plan['id']}/advance", {}, format="json").json()["stage"] == "embed"
    assert client.post(f"{root}/{plan['id']}/cancel").json()["state"] == "cancelled"
    assert client.post(f"{root}/{plan['id']}/cancel").status_code == 409
    refused = client.post(root, {"params": {"rounds": 0}}, format="json")
    assert refused.status_code == 422 and "params.rounds" in refused.content.decode()
    assert client.get(f"{root}/99999999").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_the_command_does_what_needs_no_people(cast: Cast, embedder: ModelVersion, capsys: Any) -> None:
    populate(cast.project, 40)
    given = [f"{name}={value}" for name, value in {**SMALL, "embedder": embedder.pk}.items()]
    params = [word for one in given for word in ("--param", one)]
    call_command("plan", "skywork-reward-v2", cast.project.slug, *params)
    told = capsys.readouterr().out
    assert "waiting for people: 36 pairs" in told
    assert Task.objects.filter(queue__isnull=False).count() == 36
    with pytest.raises(CommandError, match="no plan 'nothing'"):
        call_command("plan", "nothing", cast.project.slug)
