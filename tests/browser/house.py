"""A project that has been worked on, with names that are too long, and the address of every page that it has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from django.utils import timezone

from curation import access
from curation.access import annotator_for
from curation.models import (
    GONE,
    Annotation,
    Annotator,
    Critique,
    Delivery,
    Gold,
    GoldResult,
    Item,
    LearningCurve,
    ModelVersion,
    Progress,
    Project,
    Reliability,
    Role,
    Run,
    Task,
    User,
    Verdict,
    Webhook,
)
from curation.services import (
    commenting,
    crowd,
    freezing,
    grouping,
    importing,
    pausing,
    people,
    projects,
    queues,
    removing,
    reviews,
    running,
    service_accounts,
    starting,
)
from curation.services.adjudicating import cases
from curation.services.adjudicating import deciding as adjudicating
from curation.services.curating import deciding as curating
from curation.services.curating.deciding import Wanted
from curation.services.gold import marking, rules
from curation.services.guarding.learning import told as learnt_on
from curation.services.suggestions import Leaning, Suggestion, suggest
from tests import learning
from tests.cast import Cast, make_pairs
from tests.plans import waiting_plan
from tests.sharded import through
from tests.test_freezing import answer_all
from tests.trainings import a_training
from workers.guarding import Case

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


def moderate(project: Project, crew: Cast) -> Run:
    """A gate with every kind of figure: on thresholds that were learnt, with categories, and close to the boundary."""
    cost = ModelVersion.objects.create(
        name=f"c{LONG.lower()}"[:90], kind="cost", reference="program:length", state="ready"
    )
    Item.objects.filter(project=project).update(metadata={"category": LONG})
    cases = [Case(n / 9, n > 30 + n % 3, 1 + n % 3 if n > 30 + n % 3 else 0, n, n) for n in range(60)]
    sections = [learnt_on(name, some, 5, None, 0) for name, some in (("responses", cases), ("prompts", cases[:45]))]
    learnt = Run.objects.create(
        project=project, method="learn-gate", model=cost, state="succeeded", ended_at=timezone.now(),
        params={"model": cost.pk}, result={"aim": "youden", "sections": sections},
    )  # fmt: skip
    params = {"model": cost.pk, "thresholds": str(learnt.pk), "near": 5.0}
    for _ in range(2):
        gate = through(starting.start(project=project, method="safety-gate", params=params, user=crew.olga))
        assert gate.state == "succeeded", gate.error
    return gate


def accept_all(crew: Cast) -> Run:
    """A model's suggestion on an open task, accepted in bulk by olga."""
    task = crew.project.tasks.filter(state="open").order_by("pk")[0]
    lean = Leaning("overall", 1, probability=0.9)
    suggest(project=crew.project, kind="model", name="sure", given=[(0, Suggestion(task=task.pk, preferences=[lean]))])
    critic = Annotator.objects.get(project=crew.project, name="sure")
    params = {"critic": critic.pk, "audit": 0.0}
    run = starting.start(project=crew.project, method="accept", params=params, user=crew.olga)
    running.execute(str(run.pk))
    run.refresh_from_db()
    return run


def unsettle(project: Project, folder: Path) -> Item:
    """An item of the version corrected by an import, and another one removed: that one."""
    corrected, gone = Item.objects.filter(project=project).order_by("pk")[:2]
    texts = [response.text for response in corrected.responses.order_by("position")]
    given = {"id": corrected.external_id, "prompt": f"Corrected {LONG}?", "responses": [texts[0], f"New {LONG}"]}
    (folder / "again.jsonl").write_text(json.dumps(given))
    importing.import_now(project=project, user=None, path=folder / "again.jsonl", filename=f"{LONG}.jsonl")
    removing.remove(project=project, ids=[gone.pk], user=None, reason=LONG)
    return gone


def teach(project: Project, crew: Cast) -> None:
    """Gold: suspect, to train on, and missed by ann, who is paused for it and objects."""
    live = Task.objects.filter(project=project).exclude(GONE)
    answers = Annotation.objects.filter(event="answer", annotator__kind="person", task__in=live)
    done = list(answers.order_by("-pk")[:3])
    made = [
        marking.mark_from_answer(project=project, annotation_id=one.pk, explanation=f"**{LONG}** it is.", by=crew.olga)
        for one in done
    ]
    first, second, _ = made
    suspicion = {"good": 4, "missed": 3, "annotators": [done[0].annotator_id]}
    Gold.objects.filter(pk=first.pk).update(suspect_at=timezone.now(), suspicion=suspicion)
    Gold.objects.filter(pk=second.pk).update(phase="training")
    for gold, answer, right in zip(made, done, (False, True, False), strict=True):
        GoldResult.objects.create(
            gold=gold, annotator=answer.annotator, annotation=answer, correct=right, score=int(right) or 0.3,
            revealed_at=timezone.now(), objection="" if right else LONG,
        )  # fmt: skip
    Progress.objects.filter(annotator=done[0].annotator).update(gold_total=9, gold_total_right=2)
    pausing.pause(done[0].annotator, f"{LONG} 2 of 9 checks were right.")
    olga = access.annotator_for(crew.olga, project)
    shown = {"annotation": done[0], "correct": False, "score": 0, "revealed_at": timezone.now()}
    GoldResult.objects.update_or_create(gold=first, annotator=olga, defaults=shown)
    rules.change_rules(project=project, changes={"rate": 5, "pause_below": 70})


def settle(project: Project, user: User) -> int:
    """The first answered task adjudicated, each thing as its first option has it, and quoted in the guidelines."""
    task = Annotation.objects.filter(project=project, event="answer").order_by("pk")[0].task
    _, elements = adjudicating.elements(project, task)
    first = {element.place: element.options[0].key for element in elements}
    made = adjudicating.adjudicate(project=project, task=task, user=user, choices=first, key="settled", reason=LONG)
    cases.quote(project=project, adjudication=made, words=f"**{LONG}**", user=user)
    return task.pk


def fit_of(project: Project, method: str) -> Run:
    """Labels decided, by models too."""
    params = {"method": method, "annotators": "all"}
    run = starting.start(project=project, method="decide", params=params, user=None)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded", run.error
    return run


def curated_of(project: Project) -> Run:
    """A run whose curator has something to say of every tie, with one proposal accepted."""
    params = {"curator": "confidence", "settings": {"least": 1.0, "without": True}, "annotators": "all"}
    run = starting.start(project=project, method="curate", params=params, user=None)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded", run.error
    first = run.proposals.order_by("pk").first()
    assert first is not None
    curating.accept(run, Wanted(ids=[first.pk]), user=None)
    return run


def someone(run: Run) -> int:
    """An annotator of whom a fit knows something."""
    row = Reliability.objects.filter(run=run, kind="axis").order_by("annotator_id").first()
    assert row is not None
    return row.annotator_id


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
    team = grouping.add(project=project, name=LONG[:80], about=LONG, members=[annotator_for(crew.ann, project).pk])
    batch = queues.add(project=project, user=olga, name=LONG, groups=[team.pk], skill=team.pk, deadline=timezone.now())
    waiting = list(project.tasks.filter(state="open").order_by("-pk")[:1].values_list("pk", flat=True))
    queues.move(project=project, ids=waiting, queue=batch)
    pausing.pause(annotator_for(crew.bob, project), LONG, olga)
    review = reviews.ask(project, Annotation.objects.answers().filter(annotator__user=crew.ann).order_by("pk")[1].pk)
    reviews.accept(reviews.ask(project, Annotation.objects.answers().order_by("pk")[0].pk), crew.rita, LONG)
    wrote = commenting.write(item=item, user=crew.rita, text=f"@olga {LONG}").comment
    commenting.write(item=item, user=olga, text=LONG, reply_to=wrote.pk)
    bulk = accept_all(crew)
    (folder / "rows.jsonl").write_bytes(ROWS)
    landed = importing.import_now(project=project, user=olga, path=folder / "rows.jsonl", filename=f"{LONG}.jsonl")
    upload = importing.keep_upload([ROWS], user=olga)
    export = importing.keep_upload([EXPORT], user=olga)
    judge = ModelVersion.objects.create(name=LONG.lower(), kind="reward", reference="program:length", state="ready")
    gold = starting.start(
        project=project, method="evaluate", params={"model": judge.pk, "benchmark": "gold"}, user=olga
    )
    through(gold)
    for method in ("check", "bias-report"):
        through(starting.start(project=project, method=method, params={}, user=olga))
    curve = Run.objects.create(project=project, method="learning-curve", state="succeeded")
    LearningCurve.objects.create(project=project, run=curve, told=learning.told(LONG))
    teach(project, crew)
    moderate(project, crew)
    decided = settle(project, olga)
    fitted, beside = (fit_of(project, method) for method in ("dawid_skene", "majority"))
    curated = curated_of(project)
    planned, once_more = (waiting_plan(project, olga, words) for words in (LONG, ""))
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
        "inbox": "/inbox/",
        "work": f"{root}/work/",
        "new queue": f"{root}/work/queues/new/",
        "queue": f"{root}/work/queues/{batch.pk}/",
        "group": f"{root}/work/groups/{team.pk}/",
        "new group": f"{root}/work/groups/new/",
        "accepted in bulk": f"{root}/work/accepted/{bulk.pk}/",
        "put into a queue": f"{root}/runs/new/?method=assign&queue={batch.pk}",
        "review": f"{root}/review/?id={review.pk}",
        "reviews": f"{root}/review/all/",
        "empty work": f"/projects/{empty.slug}/work/",
        "nothing to review": f"/projects/{empty.slug}/review/",
        "empty reviews": f"/projects/{empty.slug}/review/all/",
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
        "agreement": f"{root}/agreement/",
        "agreement on spans": f"{root}/agreement/?label=spans&who=all&field=metadata.domain",
        "disputed items": f"{root}/agreement/items/?label=spans&who=all",
        "empty agreement": f"/projects/{empty.slug}/agreement/",
        "decisions": f"{root}/decisions/",
        "decisions of one": f"{root}/decisions/?fit={fitted.pk}&section=axis:overall&annotator={someone(fitted)}",
        "where fits differ": f"{root}/decisions/differences/?one={fitted.pk}&other={beside.pk}",
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
        "checks": f"{root}/checks/",
        "curation": f"{root}/curation/",
        "a curator": f"{root}/curation/new/?curator=confidence",
        "proposals": f"{root}/curation/{curated.pk}/",
        "all proposals": f"{root}/curation/{curated.pk}/?state=all",
        "nothing proposed": f"/projects/{empty.slug}/curation/",
        "plans": f"{root}/plans/",
        "a plan": f"{root}/plans/{planned.pk}/",
        "pairs of a plan": f"{root}/plans/{planned.pk}/pairs/",
        "a pair of a plan": f"{root}/plans/{planned.pk}/pairs/{planned.pairs.order_by('pk')[0].task_id}/",
        "plans side by side": f"{root}/plans/compare/?one={planned.pk}&other={once_more.pk}",
        "no plans": f"/projects/{empty.slug}/plans/",
        "bias": f"{root}/bias/",
        "items of a bias": f"{root}/bias/items/?signal=length&name=longer+at+all",
        "what next": f"{root}/next/",
        "no bias report": f"/projects/{empty.slug}/bias/",
        "no learning curve": f"/projects/{empty.slug}/next/",
        "safety": f"{root}/safety/",
        "empty safety": f"/projects/{empty.slug}/safety/",
        "adjudicate": f"{root}/adjudicate/?all=1",
        "a task to decide": f"{root}/adjudicate/{decided}/",
        "guidelines": f"{root}/guidelines/",
        "people at work": f"{root}/people/",
        "a person": f"{root}/people/{access.annotator_for(crew.ann, project).pk}/",
        "your work": f"{root}/me/",
        "training": f"{root}/training/",
        "a training": f"{root}/runs/{trained.pk}/",
        "trainings side by side": f"{root}/training/compare/?run={trained.pk}&run={other.pk}",
        "queued run": f"{root}/runs/{queued.pk}/",
        "models": "/models/",
        "model": f"/models/{judge.pk}/",
        "leaderboard": "/models/leaderboard/",
        "evaluation": f"/models/evaluations/{gold.result['evaluation']}/",
        "gold": f"{root}/gold/",
        "suspect gold": f"{root}/gold/?show=suspect",
        "a gold task": f"{root}/gold/{Gold.objects.order_by('pk')[0].pk}/",
        "somebody's gold": f"{root}/gold/people/{Annotator.objects.get(user=crew.ann).pk}/",
        "own gold": f"{root}/gold/mine/",
        "no gold": f"/projects/{empty.slug}/gold/",
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
        "no decisions": f"/projects/{empty.slug}/decisions/",
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
