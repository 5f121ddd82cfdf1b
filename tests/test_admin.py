"""The admin: everything is found there, little is edited, and its actions are the services' verbs."""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from curation.access import annotator_for
from curation.models import (
    Adjudication,
    Annotation,
    Annotator,
    ApiToken,
    AttributesEdit,
    BiasReport,
    Change,
    Check,
    Completion,
    Dataset,
    DatasetFile,
    DatasetVersion,
    Decision,
    Delivery,
    Evaluation,
    Gold,
    GoldResult,
    Group,
    GuidelineCase,
    Invite,
    Item,
    LearningCurve,
    ModelVersion,
    PairAttributes,
    Plan,
    PlanPair,
    PlanStep,
    Project,
    Proposal,
    Reliability,
    Repeat,
    Run,
    RunLine,
    Schedule,
    Task,
    User,
    Webhook,
)
from curation.services import commenting, crowd, health, machines, people, queues, removing, reviews
from curation.services.concord.keeping import kept_up
from tests.cast import Cast, make_pairs
from tests.test_people import browser
from tests.test_projects_page import answer

pytestmark = pytest.mark.once

OURS = [model for model in admin.site._registry if model._meta.app_label == "curation"]


@pytest.fixture
def staff(cast: Cast) -> Client:
    return browser(cast.ada)


@pytest.fixture
def full(cast: Cast) -> Cast:
    """A row in every table that the admin shows."""
    make_pairs(cast.project, 3)
    answer(cast.ann, cast.project)
    spare = Item.objects.order_by("-pk")[:1].values_list("pk", flat=True)
    for verb in (removing.remove, removing.restore):
        verb(project=cast.project, ids=list(spare), user=cast.mia)
    run = Run.objects.create(project=cast.project, method="freeze", result={"rows": 1})
    RunLine.objects.create(run=run, text="line")
    dataset = Dataset.objects.create(project=cast.project, name="prefs", last_number=1)
    version = DatasetVersion.objects.create(dataset=dataset, number=1, target="trl-preference", run=run)
    DatasetFile.objects.create(version=version, name="train.jsonl", split="train", rows=1, bytes=9, sha256="0" * 64)
    length = ModelVersion.objects.create(name="length", number=1, kind="reward", reference="program:length")
    Evaluation.objects.create(
        model=length, run=run, benchmark="llmbar", main="average", value=0.5, n=1, total=1, scores={"average": {}}
    )
    Check.objects.create(project=cast.project, run=run, signals={"style": {}}, flags=["position"])
    BiasReport.objects.create(project=cast.project, run=run, version=version, told={"pairs": 0})
    LearningCurve.objects.create(project=cast.project, run=run, told={"advice": "stop"})
    task = Task.objects.order_by("pk")[0]
    Proposal.objects.create(
        project=cast.project, run=run, subject="item:1", item_id=spare[0], action="drop", score=0.5, reason="x",
        cause="y",
    )  # fmt: skip
    Decision.objects.create(
        project=cast.project, run=run, task=task, kind="axis", name="overall", place="axis:overall", outcome="tie",
        confidence=1, how="majority",
    )  # fmt: skip
    plan = Plan.objects.create(project=cast.project, method="skywork-reward-v2", stage="seed", params={"axis": "a"})
    PlanStep.objects.create(plan=plan, stage="seed", run=run, counts={"asked": 9})
    PlanPair.objects.create(plan=plan, task=task, label="first")
    about = PairAttributes.objects.create(pair=task.pair, category="math", objectivity="mixed", controversiality="low")
    AttributesEdit.objects.create(attributes=about, by=cast.rita, after={"category": "math"})
    judge = Annotator.objects.filter(project=cast.project)[0]
    Reliability.objects.create(project=cast.project, run=run, annotator=judge, value=0.5, low=0.2, high=0.8, n=9)
    decided = Adjudication.objects.create(annotation=Annotation.objects.all()[0], made_by=cast.rita)
    GuidelineCase.objects.create(project=cast.project, adjudication=decided, words="So it is.", made_by=cast.rita)
    Completion.objects.create(model=length, prompt_hash="0" * 64, raw="I like it.", status="unparsed")
    Schedule.objects.create(project=cast.project, method="freeze", cron="0 3 * * *")
    webhook = Webhook.objects.create(project=cast.project, url="https://example.org/", events=[], secret="whsec_AAAA")
    Delivery.objects.create(webhook=webhook, event="ping", payload={})
    done = Annotation.objects.filter(project=cast.project)[0]
    said = {"preferences": {"overall": ["first"]}}
    home = {"project": cast.project, "protocol": cast.project.protocol}
    gold = Gold.objects.create(task=done.task, expected=said, place=1, made_from="hand", **home)
    GoldResult.objects.create(gold=gold, annotator=done.annotator, annotation=done, correct=True, score=1)
    Repeat.objects.create(
        project=cast.project, annotator=done.annotator, task=done.task, first=done, place=50, order="ba"
    )
    machines.report(machines.Self("cpu@test", ("cpu",)))
    kept_up(cast.project)
    item = Item.objects.order_by("pk")[0]
    Group.objects.create(project=cast.project, name="Team")
    queues.add(project=cast.project, user=cast.mia, name="Batch")
    reviews.ask(cast.project, Annotation.objects.answers()[0].pk)
    commenting.write(item=item, user=cast.mia, text="Look, @rita")
    people.make_invite(project=cast.project, by=cast.olga, role="viewer")
    link, _ = crowd.make_link(project=cast.project, by=cast.mia, name="Pilot", quota=2, most_people=3, days=1)
    crowd.begin(link)
    people.issue_token(user=cast.ann, name="script", scopes=["read"], expires_at=None)
    return cast


def act(client: Client, model: str, action: str, *ids: object) -> str:
    form = {"action": action, "_selected_action": [str(pk) for pk in ids]}
    return client.post(reverse(f"admin:curation_{model}_changelist"), form, follow=True).content.decode()


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_each_table_has_a_list_and_a_page_without_a_count_or_an_inline_script(
    full: Cast, staff: Client, model: type
) -> None:
    name = f"admin:curation_{model._meta.model_name}"  # type: ignore[attr-defined]
    row = model._default_manager.order_by("pk").first()  # type: ignore[attr-defined]
    assert row is not None
    with CaptureQueriesContext(connection) as queries:
        listed = staff.get(reverse(f"{name}_changelist"), {"q": "x"})
    assert listed.status_code == 200 and staff.get(reverse(f"{name}_changelist")).status_code == 200
    shown = staff.get(reverse(f"{name}_change", args=[row.pk]))
    assert shown.status_code == 200
    if model not in (Project, User):
        assert not any("COUNT(" in query["sql"] for query in queries)
    for page in (listed, shown):
        assert "<script>" not in page.content.decode() and "'unsafe-inline'" not in scripts_allowed(page)


def scripts_allowed(page: object) -> str:
    policy = page["Content-Security-Policy"]  # type: ignore[index]
    return next(part for part in policy.split(";") if part.strip().startswith("script-src"))


@pytest.mark.parametrize("model", ["item", "task", "annotation", "pair", "run"])
def test_a_longer_list_needs_no_more_queries(full: Cast, staff: Client, model: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            staff.get(reverse(f"admin:curation_{model}_changelist"))
        return len(found)

    before = queries()
    make_pairs(full.project, 5)
    for _ in range(5):
        answer(full.bob, full.project)
        Run.objects.create(project=full.project, method="import", created_by=full.olga)
    assert queries() == before


def test_the_admin_is_for_staff_and_signs_in_on_the_sites_own_page(cast: Cast) -> None:
    stranger = Client().get("/admin/")
    assert stranger.status_code == 302 and Client().get(stranger["Location"])["Location"].startswith("/sign-in/?next=")
    assert browser(cast.olga).get("/admin/", follow=True).status_code == 403
    first = browser(cast.ada).get("/admin/").content.decode()
    for stage in ("Import", "Annotate", "Freeze", "People"):
        assert f">{stage}</h2>" in first


def test_staff_without_rights_find_nothing_to_do(full: Cast) -> None:
    User.objects.filter(pk=full.zed.pk).update(is_staff=True)
    client = browser(User.objects.get(pk=full.zed.pk))
    assert client.get("/admin/").status_code == 200
    for model in OURS:
        address = reverse(f"admin:curation_{model._meta.model_name}_changelist")
        assert client.get(address).status_code == 403, address


def test_a_project_made_in_the_admin_has_protocol_and_owner(cast: Cast, staff: Client) -> None:
    form = {"name": "By hand", "slug": "by-hand", "description": "", "preset": "pairwise-fine", "_save": "Save"}
    assert staff.post(reverse("admin:curation_project_add"), form).status_code == 302
    made = Project.objects.get(slug="by-hand")
    assert made.protocol is not None and made.protocol.strengths == 3
    assert made.memberships.get().user == cast.ada


def test_overlap_changed_in_the_admin_reaches_the_tasks(full: Cast, staff: Client) -> None:
    form = {"name": "Renamed", "description": "", "overlap": "2", "_save": "Save"}
    form |= {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    assert staff.post(reverse("admin:curation_project_change", args=[full.project.pk]), form).status_code == 302
    project = Project.objects.get(pk=full.project.pk)
    assert (project.name, project.overlap) == ("Renamed", 2)
    assert set(Task.objects.values_list("overlap", "state")) == {(2, "open")}


def test_a_dataset_version_is_made_from_the_list_of_projects(full: Cast, staff: Client) -> None:
    assert "1 runs started" in act(staff, "project", "make_version", full.project.pk)
    assert "1 runs started" in act(staff, "project", "curate_agreement", full.project.pk)
    Run.objects.filter(proposals__isnull=False).update(state="succeeded")
    kept = Proposal.objects.get()
    for action, words, state in (("accept", "accepted", "accepted"), ("refuse", "refused", "refused")):
        assert f"1 {words}" in act(staff, "proposal", action, kept.pk)
        kept.refresh_from_db()
        assert (kept.state, kept.decided_by) == (state, full.ada)
    assert "1 open again" in act(staff, "proposal", "open_again", kept.pk)
    version = DatasetVersion.objects.get(dataset__name="preferences")
    assert version.target == "trl-preference" and version.run is not None and version.run.created_by == full.ada


def test_projects_are_removed_and_restored(full: Cast, staff: Client) -> None:
    Run.objects.update(state=Run.State.SUCCEEDED)
    act(staff, "project", "remove", full.project.pk)
    assert full.project.name not in staff.get(reverse("admin:curation_project_changelist")).content.decode()
    form = {"action": "restore", "_selected_action": [str(full.project.pk)]}
    staff.post(reverse("admin:curation_project_changelist") + "?removed=yes", form)
    assert Project.objects.get(pk=full.project.pk).deleted_at is None


def test_tasks_are_moved_retired_reopened_and_asked_again(full: Cast, staff: Client) -> None:
    *_, second, third = Task.objects.order_by("pk")
    act(staff, "task", "ahead", third.pk)
    act(staff, "task", "retire", second.pk)
    act(staff, "task", "ask_for_3", third.pk)
    second.refresh_from_db()
    third.refresh_from_db()
    assert (second.state, third.priority, third.overlap) == ("retired", 10, 3)
    act(staff, "task", "reopen", second.pk)
    second.refresh_from_db()
    assert second.state == "open"
    act(staff, "item", "retire", *Item.objects.values_list("pk", flat=True))
    assert set(Task.objects.values_list("state", flat=True)) == {"complete", "retired"}


def test_gold_is_kept_and_taken_back(full: Cast, staff: Client) -> None:
    gold = Gold.objects.get()
    Gold.objects.update(suspect_at="2026-01-01T00:00Z")
    assert "1 are suspect no more" in act(staff, "gold", "keep", gold.pk)
    assert "1 are gold no more" in act(staff, "gold", "retire", gold.pk)
    gold.refresh_from_db()
    assert gold.kept_at and gold.retired_at and Task.objects.get(pk=gold.task_id).state == "complete"


def test_items_are_removed_and_brought_back(full: Cast, staff: Client) -> None:
    one = Item.objects.order_by("pk")[0]
    assert "1 items removed" in act(staff, "item", "remove", one.pk)
    assert Change.objects.order_by("-pk")[0].made_by == full.ada and Item.objects.get(pk=one.pk).deleted_at
    assert "1 items brought back" in act(staff, "item", "restore", one.pk)
    assert not Item.objects.get(pk=one.pk).deleted_at


def test_annotations_cannot_be_changed_or_deleted(full: Cast, staff: Client) -> None:
    annotation = annotator_for(full.ann, full.project).annotations.get()
    for verb in ("change", "delete"):
        address = reverse(f"admin:curation_annotation_{verb}", args=[annotation.pk])
        assert staff.post(address, {"post": "yes", "rationale": "forged"}).status_code == 403
    annotation.refresh_from_db()
    assert annotation.rationale == ""


def test_a_run_is_cancelled_and_tried_again_from_its_list(full: Cast, staff: Client) -> None:
    run = Run.objects.get()
    for verb, state in (("cancel", "cancelled"), ("retry", "queued")):
        act(staff, "run", verb, run.pk)
        assert Run.objects.get().state == state
    assert "only a failed or cancelled run" in act(staff, "run", "retry", run.pk)


def test_no_digest_is_shown_and_tokens_are_revoked(full: Cast, staff: Client) -> None:
    token, invite = ApiToken.objects.get(), Invite.objects.get()
    for row in (token, invite):
        address = reverse(f"admin:curation_{row._meta.model_name}_change", args=[row.pk])
        assert row.digest not in staff.get(address).content.decode()
    act(staff, "apitoken", "revoke", token.pk)
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_a_superuser_makes_sign_in_links_which_work(full: Cast, staff: Client) -> None:
    shown = act(staff, "user", "sign_in_link", full.ann.pk)
    link = shown[shown.index("http://testserver/sign-in/") :].split("<")[0].removeprefix("http://testserver")
    client = Client()
    client.get(link)
    assert client.get("/account/").status_code == 200
    User.objects.filter(pk=full.zed.pk).update(is_staff=True)
    helper = User.objects.get(pk=full.zed.pk)
    helper.user_permissions.set(permissions("view_user", "change_user"))
    assert "http://testserver/sign-in/" not in act(browser(helper), "user", "sign_in_link", full.ada.pk)


def permissions(*names: str) -> QuerySet[Permission]:
    return Permission.objects.filter(codename__in=names)


def test_a_user_made_in_the_admin_can_sign_in(cast: Cast, staff: Client) -> None:
    form = {"username": "nina", "display_name": "Nina", "password1": "correct horse 9", "password2": "correct horse 9"}
    staff.post(reverse("admin:curation_user_add"), {**form, "usable_password": "true"})
    assert User.objects.get(username="nina").check_password("correct horse 9")


def test_doctor_speaks_in_words(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    machines.report(machines.Self("cpu@test", ("cpu",)))
    with suppress(SystemExit):  # a test machine may have something to mend
        call_command("doctor")
    said = capsys.readouterr().out
    parts = ("database", "migrations", "broker", "worker", "model packages", "training packages", "disk", "HTTPS")
    for part in (*parts, "secret key"):
        assert part in said
    assert "last seen 0 s ago" in said


def test_what_trains_comes_with_the_models_and_doctor_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(health.TRAINING) <= {
        line.partition("==")[0] for line in (settings.BASE_DIR / "requirements-models.txt").read_text().splitlines()
    }
    monkeypatch.setattr(health, "absent", lambda names: ["peft"])
    check = health.training()
    assert check.ok is None and "language models and lora cannot be trained without" in check.words
    assert ".venv/bin/pip install -r requirements-models.txt" in check.words
