"""The audit log: what lands in it, from which door, who reads it, and that nothing changes it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from curation.errors import AppendOnly
from curation.models import Act, AuditEvent, Membership, Project, Role, Run
from curation.services import auditing, freezing, people, projects, removing, running
from tests.cast import Cast, make_pairs, token_for
from tests.conftest import calling
from tests.test_people import PASSWORD, browser
from tests.test_projects_page import answer

LOG = "/projects/helpfulness/settings/audit/"


def last(act: str) -> AuditEvent:
    return AuditEvent.objects.filter(act=act).latest("pk")


def test_signing_in_and_out_and_failing_to(cast: Cast) -> None:
    people.change_password(user=cast.ann, current="", password=PASSWORD)
    client = Client(REMOTE_ADDR="192.0.2.77")
    client.post("/sign-in/", {"username": "ann", "password": "wrong wrong"})
    client.post("/sign-in/", {"username": "my secret pass phrase", "password": "x"})
    client.post("/sign-in/", {"username": "ann", "password": PASSWORD})
    client.post("/sign-out/")
    told = [
        (event.act, event.who_name, event.thing_name)
        for event in AuditEvent.objects.filter(act__startswith="session.").order_by("pk")
    ]
    assert told == [
        ("session.failed", "", "ann"),
        ("session.failed", "", ""),
        ("session.signed-in", "ann", ""),
        ("session.signed-out", "ann", ""),
    ]
    event = last("session.signed-in")
    assert (event.address, event.via, event.details) == ("192.0.2.0/24", "web", {"how": "password"})
    assert "pass phrase" not in str(list(AuditEvent.objects.values()))


def test_the_door_and_the_token_are_told(cast: Cast) -> None:
    secret = token_for(cast.mia)
    Client().patch(
        "/api/v1/projects/helpfulness",
        {"name": "Other"},
        content_type="application/json",
        HTTP_AUTHORIZATION=f"Bearer {secret}",
    )
    event = last("project.changed")
    assert (event.who_name, event.via, event.token) == ("mia", "api", secret[:8])
    assert event.project_id == cast.project.pk and event.details == {"name": "Other"}
    projects.revise_protocol(project=cast.project, guidelines="New.")
    assert (last("protocol.changed").via, last("protocol.changed").who_name) == ("system", "")


def test_roles_invites_items_versions_and_runs_are_told(cast: Cast) -> None:
    manager = browser(cast.mia)
    member = Membership.objects.get(user=cast.ann)
    manager.post(f"/projects/helpfulness/members/{member.pk}/", {"role": "reviewer"})
    assert last("member.role").details == {"before": "annotator", "role": "reviewer"}
    manager.post("/projects/helpfulness/members/invites/", {"role": "viewer", "days": 7, "uses": 1})
    tasks = make_pairs(cast.project, 3)
    answer(cast.ann, cast.project)
    version = freezing.request_version(project=cast.project, dataset_name="p", user=cast.mia)
    running.execute(str(version.run_id))
    manager.get("/projects/helpfulness/datasets/p/1/train.jsonl")
    client = calling(cast.mia)
    client.get("/api/v1/projects/helpfulness/annotations", HTTP_ACCEPT="application/x-ndjson")
    removing.remove(project=cast.project, ids=[tasks[-1].pair.item_id], user=cast.mia, reason="wrong")
    run = Run.objects.create(project=cast.project, method="freeze")
    manager.post(f"/projects/helpfulness/runs/{run.pk}/cancel/")
    for act in ("invite.made", "run.started", "version.downloaded", "rows.streamed", "items.removed", "run.cancelled"):
        assert (last(act).who_name, last(act).project_id) == ("mia", cast.project.pk), act


def test_a_download_in_parts_is_told_once(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    answer(cast.ann, cast.project)
    version = freezing.request_version(project=cast.project, dataset_name="p", user=cast.mia)
    running.execute(str(version.run_id))
    path, client = "/api/v1/projects/helpfulness/datasets/p/versions/1/files/train.jsonl", calling(cast.mia)
    for wanted in ("bytes=0-9", "bytes=10-19", "bytes=20-"):
        assert client.get(path, HTTP_RANGE=wanted).status_code == 206
    assert AuditEvent.objects.filter(act="version.downloaded").count() == 1


def test_what_is_changed_in_the_admin_is_told(cast: Cast) -> None:
    member = Membership.objects.get(user=cast.ann)
    address = reverse("admin:curation_membership_change", args=[member.pk])
    browser(cast.ada).post(address, {"user": cast.ann.pk, "project": cast.project.pk, "role": Role.OWNER})
    event = last("admin.changed")
    assert (event.who_name, event.project_id) == ("ada", cast.project.pk) and "Role" in event.details["changes"]


def test_nothing_changes_or_removes_an_event(cast: Cast) -> None:
    auditing.record(Act.PROJECT_CHANGED, project=cast.project)
    event = AuditEvent.objects.latest("pk")
    for forge in (
        event.save,
        event.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(who_name="x"),
    ):
        with pytest.raises(AppendOnly):
            forge()
    statements = ["UPDATE curation_auditevent SET who_name = 'x'"]
    statements += ["DELETE FROM curation_auditevent"] if connection.vendor == "postgresql" else []
    for sql in statements:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)


def test_owners_read_their_project_and_superusers_everything(cast: Cast) -> None:
    other = Project.objects.create(slug="other", name="Other")
    for project in (cast.project, other):
        auditing.record(Act.PROJECT_CHANGED, project=project, by=cast.olga, thing=project)
    page = browser(cast.olga).get(LOG).content.decode()
    assert "Settings changed" in page and "Other" not in page
    assert browser(cast.mia).get(LOG).status_code == 403
    everything = browser(cast.ada).get("/audit/").content.decode()
    assert "other" in everything and browser(cast.olga).get("/audit/").status_code == 403


def test_pages_filters_and_files_agree(cast: Cast) -> None:
    for number in range(60):
        auditing.record(Act.TOKEN_MADE, project=cast.project, by=cast.mia, thing=cast.mia, number=number)
    auditing.record(Act.MEMBER_REMOVED, project=cast.project, by=cast.olga, thing=cast.bob, note="=1+1")
    owner = browser(cast.olga)
    first = owner.get(LOG)
    assert len(first.context["events"]) == 50
    second = owner.get(f"{LOG}?{first.context['older']}")
    assert len(second.context["events"]) == 11 and not second.context["older"]
    assert len(owner.get(f"{LOG}?act=member").context["events"]) == 1
    assert len(owner.get(f"{LOG}?who=olga").context["events"]) == 1
    assert len(owner.get(f"{LOG}?until=2020-01-01&act=nonsense").context["events"]) == 0
    client = calling(cast.olga)
    root = "/api/v1/projects/helpfulness/audit"
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        reply = client.get(root, {"limit": 25, "cursor": cursor}).json()
        found, cursor = found + reply["results"], reply["next"]
    assert [row["id"] for row in found] == sorted((row["id"] for row in found), reverse=True) and len(found) == 61
    lines = b"".join(client.get(root, HTTP_ACCEPT="application/x-ndjson").streaming_content).splitlines()  # type: ignore[attr-defined]
    assert [json.loads(line)["id"] for line in lines] == [row["id"] for row in reversed(found)]
    text = b"".join(owner.get("/projects/helpfulness/settings/audit.csv?act=member").streaming_content).decode()  # type: ignore[attr-defined]
    [row] = csv.DictReader(io.StringIO(text))
    assert (row["act"], row["who"], row["object"]) == ("member.removed", "olga", "bob")
    for wrong in ({"act": "nonsense"}, {"since": "yesterday"}):
        assert client.get(root, wrong).status_code == 422


def test_addresses_are_networks() -> None:
    for given, kept in (
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::9", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("unknown", ""),
    ):
        assert auditing.network_of(given) == kept


def test_behind_a_proxy_the_address_is_what_the_proxy_saw(cast: Cast, settings: Any) -> None:
    forged = {"HTTP_X_FORWARDED_FOR": "203.0.113.9, 198.51.100.7", "REMOTE_ADDR": "10.0.0.1"}
    for secure, network in ((False, "10.0.0.0/24"), (True, "198.51.100.0/24")):
        settings.SECURE = secure
        Client(**forged).post("/sign-in/", {"username": "ann", "password": "wrong"})
        assert last("session.failed").address == network
