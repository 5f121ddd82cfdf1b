"""A project that has been worked on, with names that are too long, and the address of every page that it has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from curation.models import (
    Annotation,
    Annotator,
    Critique,
    Delivery,
    Item,
    ModelVersion,
    Project,
    Role,
    Run,
    Verdict,
    Webhook,
)
from curation.services import (
    crowd,
    freezing,
    importing,
    people,
    projects,
    removing,
    running,
    service_accounts,
    starting,
)
from tests.cast import Cast, make_pairs
from tests.sharded import through
from tests.test_freezing import answer_all
from tests.trainings import a_training

GUIDELINES = "## What to do\n\nRead **both**, then choose.\n\n- `code`\n- [a link](https://example.org/)\n"
ROWS = b'{"id": "n1", "prompt": "Why?", "responses": ["So.", "Thus."]}\n{"id": "n2", "prompt": "How?"}\n'
"""One row that lands and one that is refused, for want of responses."""
EXPORT = b'{"id": 1, "text": "Ulm, Danube", "label": [[0, 3, "%s"]], "Comments": []}\n' % (b"W" * 60)
LONG = "W" * 100
"""A word that no line holds."""


@dataclass(frozen=True)
class House:
    """Addresses by name: of pages for olga, who owns the project and is staff, and of pages for anybody."""

    inside: dict[str, str]
    outside: dict[str, str]


def speak(project: Project) -> Item:
    """An item with critiques of a person and of a model: of a span, of the whole, and of what is not there."""
    answer = Annotation.objects.filter(project=project, event="answer").order_by("pk")[0]
    item = answer.task.pair.item
    Item.objects.filter(pk=item.pk).update(
        context={"documents": [{"title": LONG, "text": f"**{LONG}**"}], "note": LONG}
    )
    judge = Annotator.objects.create(project=project, kind="model", name=LONG)
    same = {"project": project, "task": answer.task, "protocol": project.protocol, "event": "answer", "source": "api"}
    said = Annotation.objects.create(annotator=judge, version="2", score=0.5, idempotency_key="s", **same)
    evidence = {"document": 0, "start": 0, "end": 4, "quote": "**WW"}
    for annotation, polarity in ((answer, -1), (said, 1)):
        add = partial(
            Critique.objects.create, annotation=annotation, response=answer.task.pair.first, polarity=polarity
        )
        add(start=0, end=6, quote="Answer", type="wrong", severity="major", comment=LONG, edit=LONG, evidence=evidence)
        add(start=2, end=8, quote="swer 0", comment="Overlaps.", evidence={"url": f"https://example.org/{LONG}"})
        add(start=2, end=8, quote="not this", comment="Gone.")
        add(comment="On the whole.")
        Verdict.objects.create(annotation=annotation, response=answer.task.pair.second, question="correct", answer=True)
    return item


def unsettle(project: Project, folder: Path) -> Item:
    """An item of the version corrected by an import, and another one removed: that one."""
    corrected, gone = Item.objects.filter(project=project).order_by("pk")[:2]
    texts = [response.text for response in corrected.responses.order_by("position")]
    given = {"id": corrected.external_id, "prompt": f"Corrected {LONG}?", "responses": [texts[0], f"New {LONG}"]}
    (folder / "again.jsonl").write_text(json.dumps(given))
    importing.import_now(project=project, user=None, path=folder / "again.jsonl", filename=f"{LONG}.jsonl")
    removing.remove(project=project, ids=[gone.pk], user=None, reason=LONG)
    return gone


def furnish(crew: Cast, folder: Path) -> House:
    """Tasks, answers, a version, an import with a refused row, a run that failed, an invite and a token."""
    project, olga = crew.project, crew.olga
    olga.is_staff, olga.display_name = True, LONG
    olga.save()
    projects.change_project(project=project, name=LONG, description=LONG)
    projects.revise_protocol(project=project, guidelines=GUIDELINES)
    project.refresh_from_db()
    make_pairs(project, 8)
    answer_all(crew, "ann", -2, 1, 0, None, 2)
    version = freezing.request_version(project=project, dataset_name="preferences", user=olga)
    running.execute(str(version.run_id))
    gone = unsettle(project, folder)
    compared = starting.start(
        project=project, method="compare", params={"dataset": "preferences", "number": 1, "other": 1}, user=olga
    )
    running.execute(str(compared.pk))
    url = f"https://example.org/{LONG}"
    webhook = Webhook.objects.create(project=project, url=url, events=["run.ended"], secret="whsec_AAAA")
    told = Delivery.objects.create(webhook=webhook, event="run.ended", payload={"data": LONG}, state="dead", error=LONG)
    item = speak(project)
    (folder / "rows.jsonl").write_bytes(ROWS)
    landed = importing.import_now(project=project, user=olga, path=folder / "rows.jsonl", filename=f"{LONG}.jsonl")
    upload = importing.keep_upload([ROWS], user=olga)
    export = importing.keep_upload([EXPORT], user=olga)
    judge = ModelVersion.objects.create(name=LONG.lower(), kind="reward", reference="program:length", state="ready")
    gold = starting.start(
        project=project, method="evaluate", params={"model": judge.pk, "benchmark": "gold"}, user=olga
    )
    through(gold)
    failed = Run.objects.create(project=project, method="freeze", state="failed", error=LONG)
    failed.lines.create(text=LONG)
    queued = Run.objects.create(project=project, method="freeze", params={"target": LONG}, created_by=olga)
    trained, other = (a_training(project, olga, name=LONG, seed=seed) for seed in (1, 2))
    _, invite = people.make_invite(project=project, by=olga, role=Role.ANNOTATOR, note=LONG)
    people.issue_token(user=olga, name=LONG, scopes=["read"], expires_at=None)
    service = service_accounts.make(project=project, by=olga, name=LONG[:60])
    service_accounts.make_token(service, name=LONG, scopes=["read", "write"], expires_at=None)
    crowded, secret = crowd.make_link(
        project=project, by=olga, name=LONG, quota=2, most_people=9, days=3, parameter="PID", welcome=f"**{LONG}**"
    )
    crowd.begin(crowded, platform_id="W" * 64)
    empty = projects.create_project(slug="empty", name="Nothing here yet", user=olga)
    root = f"/projects/{project.slug}"
    inside = {
        "projects": "/projects/",
        "new project": "/projects/new/",
        "switch": "/switch/",
        "switch looked at": f"/switch/uploads/{export}/?file={quote(LONG)}.jsonl",
        "switch that fails": f"/switch/uploads/{upload}/?file={quote(LONG)}.jsonl",
        "project": f"{root}/",
        "annotate": f"{root}/annotate/",
        "import": f"{root}/imports/",
        "preview": f"{root}/imports/uploads/{upload}/?name={quote(LONG)}",
        "report": f"{root}/imports/runs/{landed.pk}/",
        "items": f"{root}/items/",
        "found items": f"{root}/items/?q=item-&critiques=yes",
        "item": f"{root}/items/{item.pk}/",
        "item as it stands": f"{root}/items/{item.pk}/?source=1",
        "removed items": f"{root}/items/?removed=yes",
        "removed item": f"{root}/items/{gone.pk}/",
        "datasets": f"{root}/datasets/",
        "new version": f"{root}/datasets/new/",
        "version": f"{root}/datasets/preferences/1/",
        "row of a version": f"{root}/datasets/preferences/1/rows/train/0/",
        "versions compared": f"{root}/datasets/compared/{compared.pk}/",
        "webhooks": f"{root}/webhooks/",
        "webhook": f"{root}/webhooks/{webhook.pk}/",
        "delivery": f"{root}/webhooks/{webhook.pk}/deliveries/{told.message}/",
        "runs": f"{root}/runs/",
        "run": f"{root}/runs/{landed.pk}/",
        "failed run": f"{root}/runs/{failed.pk}/",
        "training": f"{root}/training/",
        "a training": f"{root}/runs/{trained.pk}/",
        "trainings side by side": f"{root}/training/compare/?run={trained.pk}&run={other.pk}",
        "queued run": f"{root}/runs/{queued.pk}/",
        "models": "/models/",
        "model": f"/models/{judge.pk}/",
        "leaderboard": "/models/leaderboard/",
        "evaluation": f"/models/evaluations/{gold.result['evaluation']}/",
        "members": f"{root}/members/",
        "service account": f"{root}/members/services/{service.pk}/",
        "crowd links": f"{root}/members/crowd/",
        "crowd link": f"{root}/members/crowd/{crowded.pk}/",
        "audit log": f"{root}/settings/audit/",
        "audit log without a find": f"{root}/settings/audit/?who=nobody",
        "two-factor": "/account/two-factor/",
        "settings": f"{root}/settings/",
        "protocol": f"{root}/protocol/",
        "protocol versions": f"{root}/protocol/versions/",
        "protocol version": f"{root}/protocol/versions/2/",
        "account": "/account/",
        "tokens": "/account/tokens/",
        "empty project": f"/projects/{empty.slug}/",
        "empty annotate": f"/projects/{empty.slug}/annotate/",
        "empty datasets": f"/projects/{empty.slug}/datasets/",
        "empty items": f"/projects/{empty.slug}/items/",
        "empty training": f"/projects/{empty.slug}/training/",
        "empty runs": f"/projects/{empty.slug}/runs/",
        "unknown project": "/projects/nowhere/",
        "unknown address": "/nowhere/",
    }
    outside = {
        "sign-in": "/sign-in/",
        "join": f"/join/{invite}/",
        "used invite": "/join/inv_unknown/",
        "used link": "/sign-in/unknown/",
        "crowd welcome": f"/crowd/{secret}/?PID=9",
    }
    return House(inside, outside)
