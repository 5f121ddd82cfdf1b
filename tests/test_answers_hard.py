"""Answers with critiques, verdicts and ranks, whatever happens around them: nothing lost, nothing counted wrongly."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate.content import what_was_said
from curation.access import annotator_for
from curation.errors import DomainError, Invalid
from curation.models import (
    Annotation,
    Assignment,
    Critique,
    Progress,
    Rank,
    Tally,
    Task,
    TaskKind,
    User,
    Verdict,
)
from curation.services import annotating, assigning, drafting, projects, queueing, suggesting, suggestions, taking
from curation.services.annotating import Commit, Judgement
from curation.services.answering import Answer, Judged, Said
from curation.services.desk import Desk, desk_of
from curation.services.suggestions import Leaning, Suggestion
from tests import cast as people
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.critics import ask, item, land
from tests.imports import progress_in_order, tasks_in_order

PEOPLE = ("ann", "bob", "rita")
SEEDS = range(int(os.environ.get("TOUCHSTONE_WALKS", "2")))
MACHINES = ("model", "program")
QUESTIONS = [
    {"name": "correct", "question": "Is it correct?", "required": False},
    {"name": "tone", "question": "?", "kind": "choices", "options": [{"name": "a"}, {"name": "b"}], "required": False},
    {"name": "why", "question": "Why?", "kind": "text", "required": False},
]


# --- Whatever people, models and managers do ------------------------------------------------------------


class Walk:
    """Random deeds of three people, a critic, a manager and imports on the tasks of four items."""

    def __init__(self, cast: Cast, kind: str, seed: int) -> None:
        self.cast, self.chance, self.keys = cast, random.Random(seed), 0
        self.annotators = [annotator_for(cast.people[name], cast.project) for name in PEOPLE]
        self.texts = {f"i{n}": [f"Text {n}.{place}" for place in range(3)] for n in range(4)}
        cast.project.overlap = 2
        ask(cast.project, kind, questions=QUESTIONS, help={"mode": "shown", "holdout": 0.3})
        self.bring(*self.texts)

    def commit(self) -> Commit:
        self.keys += 1
        return Commit(str(self.keys))

    def step(self) -> None:
        deeds: list[Callable[[], object]] = [
            *(self.answer, self.answer, self.answer, self.skip, self.undo, self.take, self.take, self.expire),
            *(self.manage, self.revise, self.suggest, self.change, self.draft, self.again),
        ]
        with suppress(DomainError):  # a deed that is refused must change nothing either
            self.chance.choice(deeds)()

    def bring(self, *names: str) -> None:
        land(self.cast.project, *(item(name, *self.texts[name]) for name in names))

    def held(self, *states: str) -> Assignment | None:
        found = Assignment.objects.filter(state__in=states) if states else Assignment.objects.all()
        return self.chance.choice([*found.order_by("pk")]) if found.exists() else None

    def desk(self, held: Assignment) -> Desk:
        return desk_of(self.cast.project, held.annotator)

    def take(self) -> None:
        assigning.next_for(project=self.cast.project, annotator=self.chance.choice(self.annotators))

    def said(self, desk: Desk, shown: taking.Shown) -> tuple[list[Judgement], Answer]:
        count, sources = len(shown.responses), [c for s in suggesting.for_screen(desk, shown) for c in s["critiques"]]
        critiques = [
            Said(self.chance.randrange(count), 0, 4, type=self.chance.choice(["wrong", "vague"]), severity="minor",
                 polarity=-1, evidence={"response": self.chance.randrange(count), "start": 0, "end": 4})
            for _ in range(self.chance.randrange(3))
        ]  # fmt: skip
        for source in sources[: self.chance.randrange(2)]:
            rejected = self.chance.random() < 0.5
            critiques.append(
                Said(source["response"], 0, 4, type="wrong", severity="minor", polarity=-1,
                     derived_from=source["id"], rejected=rejected, review_ms=1)
            )  # fmt: skip
        verdicts = [Judged("correct", self.chance.random() < 0.5, response=place) for place in range(count)]
        verdicts += [Judged("tone", self.chance.choice([[], ["a"], ["b", "a"]]))] * self.chance.randrange(2)
        verdicts += [Judged("why", self.chance.choice(["so", "so it is"]))] * self.chance.randrange(2)
        asked = {question.name for question in desk.scale.asked.questions}
        verdicts = [one for one in verdicts if one.question in asked or self.chance.random() < 0.02]
        ranks = [self.chance.randrange(1, count + 1) for _ in range(count)]
        ranks[self.chance.randrange(count)] = 1
        kind = self.cast.project.kind
        judged = [Judgement("overall", self.chance.choice([-1, 0, 1]))] if kind == TaskKind.PREFERENCE else []
        return judged, Answer(critiques, verdicts, ranks if kind == TaskKind.RANKING else ())

    def answer(self) -> None:
        if held := self.held():
            desk = self.desk(held)
            judged, more = self.said(desk, taking.held(desk, held.task_id))
            annotating.submit(desk=desk, task_id=held.task_id, judgements=judged, more=more, commit=self.commit())

    def again(self) -> None:
        """The last commit once more, under its key: nothing may change."""
        made = Annotation.objects.exclude(idempotency_key__contains="-").order_by("-pk").first()
        if made and made.event == "answer":
            held = Assignment.objects.get(task=made.task_id, annotator=made.annotator_id)
            desk = self.desk(held)
            judged, more = self.said(desk, taking.held(desk, held.task_id))
            before = rows()
            with suppress(DomainError):
                key = Commit(made.idempotency_key)
                annotating.submit(desk=desk, task_id=held.task_id, judgements=judged, more=more, commit=key)
            assert rows() == before

    def skip(self) -> None:
        if held := self.held("reserved", "skipped", "released"):
            annotating.skip(desk=self.desk(held), task_id=held.task_id, reason="", commit=self.commit())

    def undo(self) -> None:
        if held := self.held("answered", "skipped"):
            assert held.current_id is not None
            annotating.undo(desk=self.desk(held), annotation_id=held.current_id, commit=self.commit())

    def expire(self) -> None:
        Assignment.objects.filter(state="reserved").update(expires_at=timezone.now() - timedelta(hours=1))
        assigning.return_expired(most=self.chance.randrange(3))

    def draft(self) -> None:
        if held := self.held():
            drafting.keep(annotator_id=held.annotator_id, task_id=held.task_id, body=b'{"at": 1}')

    def manage(self) -> None:
        some = Task.objects.filter(pk__in=self.chance.sample([*Task.objects.values_list("pk", flat=True)], 2))
        match self.chance.randrange(4):
            case 0:
                queueing.retire(tasks=some)
            case 1 | 2:
                queueing.reopen(tasks=some)
            case _:
                queueing.set_overlap(tasks=some, overlap=self.chance.choice([1, 2, 3]))
        self.cast.project.refresh_from_db()

    def revise(self) -> None:
        """Another version: of the help, of what may be answered, of what is asked at all."""
        changes: dict[str, Any] = self.chance.choice(
            [
                {"help": {"mode": self.chance.choice(["off", "shown", "reveal"]), "holdout": 0.3}},
                {"questions": QUESTIONS[: self.chance.randrange(1, 4)]},
            ]
        )
        projects.revise_protocol(project=self.cast.project, **changes)

    def suggest(self) -> None:
        tasks = [*Task.objects.exclude(state="retired").values_list("pk", flat=True)]
        said = [Said(0, 0, 4, type="wrong", severity="minor", comment=f"{self.chance.randrange(3)}")]
        verdicts = [Judged("correct", True)]
        prefers = [Leaning("overall", 1)] if self.cast.project.kind == TaskKind.PREFERENCE else []
        given = [
            (n, Suggestion(task=task, preferences=prefers, answer=Answer(said, verdicts)))
            for n, task in enumerate(self.chance.sample(tasks, min(2, len(tasks))))
        ]
        suggestions.suggest(project=self.cast.project, kind="model", name="critic", given=given)

    def change(self) -> None:
        """A response gets another text, or the one it once had; or one goes, or comes back."""
        name = self.chance.choice([*self.texts])
        texts = self.texts[name]
        match self.chance.randrange(3):
            case 0:
                place = self.chance.randrange(len(texts))
                texts[place] = texts[place][:-1] if texts[place].endswith("!") else f"{texts[place]}!"
            case 1 if len(texts) > 2:
                texts.pop(self.chance.randrange(len(texts)))
            case _:
                texts[:] = [f"Text {name[1:]}.{place}" for place in range(3)]
        self.bring(name)


def rows() -> list[Any]:
    tables = (Annotation, Critique, Verdict, Rank, Task, Assignment, Progress, Tally)
    return [list(table._default_manager.order_by("pk").values_list()) for table in tables]


def retallied() -> Counter[tuple[Any, ...]]:
    """Outcomes by annotator, day, axis: from the rows of what stands of people's work here."""
    found: Counter[tuple[Any, ...]] = Counter()
    for held in Assignment.objects.filter(state__in=["answered", "skipped"]).select_related("current"):
        made = held.current
        assert made is not None
        said: list[tuple[str, str]] = [("", "skip" if made.event == "skip" else "answered")]
        said += [(one.axis, one.outcome) for one in made.preferences.all()]
        said += [("critique", "rejected" if one.review == "rejected" else one.type) for one in made.critiques.all()]
        for verdict in made.verdicts.all():
            if isinstance(verdict.answer, bool):
                said.append((verdict.question, "yes" if verdict.answer else "no"))
            elif isinstance(verdict.answer, list):
                said += [(verdict.question, name) for name in verdict.answer or ["none"]]
            else:
                said.append((verdict.question, "words" if " " in verdict.answer else verdict.answer))
        found.update((made.annotator_id, made.created_at.date(), axis, outcome) for axis, outcome in said)
    return found


def all_in_order(cast: Cast) -> None:
    project = cast.project
    project.refresh_from_db()
    assert project.task_count == Task.objects.exclude(state="retired").count()
    tasks_in_order(project)
    for progress in Progress.objects.filter(project=project):
        progress_in_order(project, progress)
    people = Annotation.objects.answers().exclude(annotator__kind__in=MACHINES)
    for task in Task.objects.all():
        assert task.done == people.filter(task=task).count() <= task.taken
        assert task.state == "retired" or (task.state == "complete") == (task.done >= task.overlap)
    for held in Assignment.objects.filter(state__in=["answered", "skipped"]):
        assert held.current_id and not Annotation.objects.filter(supersedes=held.current_id).exists()
    kept = {(t.annotator_id, t.day, t.axis, t.outcome): t.count for t in Tally.objects.filter(count__gt=0)}
    assert kept == dict(retallied())
    answered = Annotation.objects.exclude(event="answer").values("pk")
    for table in (Critique, Verdict, Rank):
        assert not table._default_manager.filter(annotation__in=answered).exists()
    assert not Critique.objects.filter(derived_from=None).exclude(review="").exists()


@pytest.mark.parametrize("kind", ["response", "ranking", "preference"])
@pytest.mark.parametrize("seed", SEEDS)
def test_counters_are_what_a_recount_would_say(cast: Cast, kind: str, seed: int) -> None:
    walk = Walk(cast, kind, seed)
    for _ in range(60):
        walk.step()
        all_in_order(cast)


# --- Many at once ------------------------------------------------------------------------------------


def seated(cast: Cast, name: str = "ann") -> Desk:
    return desk_of(cast.project, annotator_for(cast.people[name], cast.project))


def at_once(work: Callable[[int], None], count: int) -> None:
    """Run `work` in so many threads; what one of them raises is raised here."""

    def alone(number: int) -> None:
        try:
            work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(alone, range(count)))


@pytest.mark.parametrize("kind", ["response", "ranking"])
def test_tabs_and_people_at_once_leave_everything_in_order(transactional_db: None, kind: str) -> None:
    cast = people.assemble(overlap=2)
    ask(cast.project, kind, help={"mode": "shown", "holdout": 0.2})
    land(cast.project, *(item(f"i{n}", "Text one.", "Text two.", "Text three.") for n in range(2)))
    desks = [seated(cast, name) for name in PEOPLE]

    def tab(number: int) -> None:
        chance, desk = random.Random(number), desks[number % len(desks)]
        for step in range(20):
            with suppress(DomainError):
                deed(chance, desk, number // len(desks), step)

    def deed(chance: random.Random, desk: Desk, tab: int, step: int) -> None:
        mine = list(Assignment.objects.filter(annotator=desk.annotator_id))
        what = chance.randrange(7) if mine else 0
        if what == 0:
            assigning.next_shown(desk=desk)
            return
        held = chance.choice(mine)
        key = Commit(f"{held.task_id}-{step // 2}-{chance.randrange(3)}")
        if what < 4:
            places = range(len(taking.held(desk, held.task_id).responses))
            said = [Said(0, 0, 4, type="wrong", severity="minor", polarity=-1)] * chance.randrange(3)
            verdicts = [Judged("correct", chance.random() < 0.5)]
            more = Answer(said, verdicts, [1 for _ in places] if kind == "ranking" else ())
            annotating.submit(desk=desk, task_id=held.task_id, commit=key, more=more)
        elif what == 4:
            annotating.skip(desk=desk, task_id=held.task_id, reason="", commit=key)
        elif what == 5 and held.current_id:
            annotating.undo(desk=desk, annotation_id=held.current_id, commit=key)
        else:
            said = [Said(0, 0, 4, type="wrong", severity="minor", polarity=-1, comment=f"{tab} {step}")]
            told = Suggestion(task=held.task_id, answer=Answer(said))
            suggestions.suggest(project=cast.project, kind="model", name="critic", given=[(0, told)])

    at_once(tab, 9 if connection.vendor == "postgresql" else 3)
    all_in_order(cast)
    standing = list(Annotation.objects.answers().values_list("task", "annotator"))
    assert len(set(standing)) == len(standing)


def test_two_tabs_take_a_seat_each_only_once(transactional_db: None) -> None:
    """Where several people answer a task, a tab that picks what another has just picked must not count it again."""
    cast = people.assemble(overlap=5)
    make_pairs(cast.project, 19)
    cast.project.refresh_from_db()
    desk = seated(cast)

    def tab(_: int) -> None:
        for _ in range(25):
            held = Assignment.objects.filter(annotator=desk.annotator_id, state="reserved")
            assigning.next_shown(desk=desk, exclude=list(held.values_list("task", flat=True)))

    at_once(tab, 8 if connection.vendor == "postgresql" else 2)
    tasks_in_order(cast.project)
    assert assigning.next_shown(desk=desk) is not None


# --- What comes in over the API ------------------------------------------------------------------------

ASKED = [
    {"name": "yes", "question": "?", "required": False, "evidence": "optional", "comment": "optional"},
    {"name": "rate", "question": "?", "kind": "rating", "required": False},
    {"name": "one", "question": "?", "kind": "choice", "options": [{"name": "a b"}], "required": False},
    {"name": "some", "question": "?", "kind": "choices", "options": [{"name": "a"}, {"name": "b"}], "required": False},
    {"name": "words", "question": "?", "kind": "text", "required": False},
    {"name": "unit", "question": "?", "scope": "unit", "required": False},
]
SAID = {"start": 0, "end": 3, "type": "wrong", "severity": "minor", "polarity": -1}


@pytest.fixture
def desk(cast: Cast) -> Cast:
    """A response in ann's hands."""
    ask(cast.project, TaskKind.RESPONSE, questions=ASKED, unit="sentence", help={"mode": "shown", "holdout": 0.0})
    land(cast.project, item("a", "One is. Two are."))
    assigning.next_shown(desk=seated(cast))
    return cast


def send(user: User, body: Any, key: str = "k") -> Any:
    """A submission as it goes over the line; bytes and text as they are."""
    api = calling(user)
    api.raise_request_exception = False
    raw = body if isinstance(body, str | bytes) else json.dumps(body)
    task, head = Task.objects.get().pk, {"Idempotency-Key": key}
    return api.generic("POST", f"/api/v1/tasks/{task}/submit", raw, content_type="application/json", headers=head)


def judged(question: str, answer: Any, **more: Any) -> dict[str, Any]:
    return {"verdicts": [{"question": question, "answer": answer, **more}]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (judged("some", [["a"]]), "verdicts.0.answer"),
        (judged("some", [{}]), "verdicts.0.answer"),
        (judged("words", "\ud800"), "verdicts.0.answer"),
        (judged("rate", 10**400), "verdicts.0.answer"),
        (judged("rate", 2.0), "verdicts.0.answer"),
        (judged("yes", True, review_ms=2**31), "verdicts.0.review_ms"),
        (judged("yes", True, evidence={"url": "https://\ud800"}), "verdicts.0.evidence.url"),
        (judged("unit", True, start=0, end=2) | {"units": {"0": [[0, 10**30]]}}, "units.0"),
        ({"critiques": [SAID | {"evidence": {"url": "https://a\0"}}]}, "critiques.0.evidence.url"),
        ({"critiques": [SAID | {"evidence": {"url": "https://a", "quote": "\0"}}]}, "critiques.0.evidence.quote"),
        ({"critiques": [SAID | {"evidence": {"url": "https://a", "quote": [[[]]]}}]}, "critiques.0.evidence.quote"),
        ({"critiques": [SAID | {"evidence": {"url": "https://a", "start": 10**40}}]}, "critiques.0.evidence.start"),
        ({"critiques": [SAID | {"start": True}]}, "critiques.0.start"),
        ({"critiques": [SAID | {"response": 10**30}]}, "critiques.0.response"),
        ({"critiques": [[]]}, "critiques.0.non_field_errors"),
        ({"ranks": [1]}, "ranks"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_its_field(desk: Cast, body: Any, field: str) -> None:
    told = send(desk.ann, body)
    assert told.status_code in (400, 422), told.content
    assert told.json()["errors"][0]["field"] == field
    assert not Annotation.objects.exists() and not Critique.objects.exists() and not Verdict.objects.exists()


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"critiques":' * 50_000, "1" * 10_000, '{"active_ms": NaN}', b"\xff", "[]"]
)
def test_what_is_no_submission_at_all_is_refused(desk: Cast, body: str | bytes) -> None:
    assert send(desk.ann, body).status_code == 400


JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.text(st.characters(), max_size=5)
    | st.sampled_from(["wrong", "minor", "a", "yes", "words", 0, 1, 3, True, 16, -1, "https://a.example", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
EVIDENCE = st.dictionaries(st.sampled_from(["document", "response", "url", "start", "end", "quote"]), JUNK, max_size=4)
PARTS = {
    "critiques": sorted({*SAID, "response", "message", "quote", "unit", "comment", "edit", "omission", "evidence",
                         "derived_from", "rejected", "review_ms"}),
    "verdicts": ["question", "answer", "response", "comment", "start", "end", "evidence", "derived_from", "review_ms"],
}  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A submission that could be one, but for a few fields that hold anything."""
    verdict = draw(st.sampled_from([("yes", True), ("rate", 3), ("one", "a b"), ("some", ["b"]), ("words", "so")]))
    body: dict[str, Any] = {"critiques": [dict(SAID)], **judged(*verdict)}
    for part, names in PARTS.items():
        for name in draw(st.lists(st.sampled_from(names), max_size=2)):
            body[part][0][name] = draw(EVIDENCE if name == "evidence" else JUNK)
    for name in draw(
        st.lists(st.sampled_from(["ranks", "units", "rationale", "active_ms", "preferences"]), max_size=1)
    ):
        body[name] = draw(JUNK)
    return body


@given(body=bodies())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_sent_is_kept_or_refused_and_can_be_read_again(desk: Cast, body: dict[str, Any]) -> None:
    made = Annotation.objects.count()
    told = send(desk.ann, body, key=f"k{made}-{Assignment.objects.get().current_id}")
    assert told.status_code in (200, 400, 422), (body, told.content)
    assert Annotation.objects.count() == made + (told.status_code == 200)
    browser = Client()
    browser.force_login(desk.ann)
    assert browser.get(f"/projects/{desk.project.slug}/annotate/last/").status_code == 200


# --- Drafts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draft", "status"),
    [
        (b'{"a":' * 51 + b"1" + b"}" * 51, 422),
        (b'{"a":' * 900 + b"1" + b"}" * 900, 422),
        (b'{"a": 123456789012345678901234567890}', 422),
        (b'{"a": 1e999}', 422),
        (b'{"a": "\\ud800"}', 422),
        (b'{"at": 1764038400000, "critiques": [{"evidence": {"document": 0}}]}', 204),
    ],
)
def test_a_draft_that_is_kept_can_be_shown_again(desk: Cast, draft: bytes, status: int) -> None:
    browser = Client(raise_request_exception=False)
    browser.force_login(desk.ann)
    root = f"/projects/{desk.project.slug}/annotate/"
    address = f"{root}tasks/{Task.objects.get().pk}/draft/"
    assert browser.generic("POST", address, draft, content_type="application/json").status_code == status
    assert browser.get(root).status_code == 200


# --- Suggestions, in the order shown, under other versions ---------------------------------------------


@pytest.mark.parametrize(("kind", "count"), [("preference", 2), ("response", 1), ("ranking", 4)])
def test_what_is_shown_accepted_taken_back_and_said_again_is_the_same(cast: Cast, kind: str, count: int) -> None:
    ask(cast.project, kind, help={"mode": "shown", "holdout": 0.0})
    texts = [f"Nº{place} 👍 text\r\nso" for place in range(count)]
    land(cast.project, *(item(f"i{n}", *texts) for n in range(6)))
    for task in Task.objects.all():
        suggestions.suggest(project=cast.project, kind="model", name="m", given=[(0, on_each(task.pk, kind, count))])
    desk = seated(cast)
    for n in range(6):
        shown = assigning.next_shown(desk=desk)
        assert shown is not None
        places = [texts.index(text) for text in shown.texts]
        [told] = suggesting.for_screen(desk, shown)
        for critique in told["critiques"]:
            assert critique["comment"] == f"on {places[critique['response']]}"
            assert places[critique["evidence"]["response"]] == (places[critique["response"]] + 1) % count
        assert [v["comment"] for v in told["verdicts"]] == [f"on {places[v['response']]}" for v in told["verdicts"]]
        assert told["ranks"] == ([place + 1 for place in places] if kind == "ranking" else [])
        first = committed(desk, shown, told, f"a{n}")
        annotating.undo(desk=desk, annotation_id=first.pk, commit=Commit(f"u{n}"))
        second = committed(desk, shown, what_was_said(desk, first, shown), f"b{n}")
        assert stored(first) == stored(second)
        assert {review for *_, review in stored(first)} == {"accepted"}


def on_each(task: int, kind: str, count: int) -> Suggestion:
    """A critique and a verdict on each response, proved by the next one; the last one is best."""
    critiques, verdicts = [], []
    for place in range(count):
        proof = {"response": (place + 1) % count, "start": 2, "end": 3}
        words = f"on {place}"
        critiques.append(
            Said(place, 4, 5, type="wrong", severity="minor", polarity=-1, comment=words, evidence=dict(proof))
        )
        verdicts.append(Judged("correct", place % 2 == 0, response=place, comment=words, evidence=dict(proof)))
    leanings = [Leaning("overall", -1, probability=0.25)] if kind == "preference" else []
    ranks = [place + 1 for place in range(count)] if kind == "ranking" else ()
    return Suggestion(task=task, preferences=leanings, answer=Answer(critiques, verdicts, ranks))


def committed(desk: Desk, shown: taking.Shown, told: dict[str, Any], key: str) -> Annotation:
    """What is on the screen as an answer: a suggestion accepted, or an own answer again."""

    def said(one: dict[str, Any]) -> dict[str, Any]:
        return {
            **{name: value for name, value in one.items() if name not in ("id", "review")},
            "derived_from": one.get("derived_from", one["id"]),
        }

    more = Answer(
        [Said(**said(one)) for one in told["critiques"]],
        [Judged(**said(one)) for one in told["verdicts"]],
        told["ranks"],
    )
    judgements = [Judgement(one["axis"], one["value"]) for one in told["preferences"]]
    made = annotating.submit(desk=desk, task_id=shown.task_id, judgements=judgements, more=more, commit=Commit(key))
    return Annotation.objects.get(pk=made.id)


def stored(made: Annotation) -> list[tuple[Any, ...]]:
    """The rows of an answer, by response."""
    critiques = made.critiques.values_list("response", "start", "end", "quote", "evidence", "derived_from", "review")
    verdicts = made.verdicts.values_list("response", "answer", "comment", "evidence", "derived_from", "review")
    return sorted([*critiques, *verdicts], key=repr)


def one_critique(cast: Cast, task: Task, comment: str) -> tuple[Critique, Verdict]:
    said = Said(0, 0, 3, type="wrong", severity="minor", polarity=-1, comment=comment)
    told = Suggestion(task=task.pk, answer=Answer([said], [Judged("correct", True)]))
    landed = suggestions.suggest(project=cast.project, kind="model", name="m", given=[(0, told)])
    assert not landed.rejected
    return Critique.objects.latest("pk"), Verdict.objects.latest("pk")


def test_a_suggestion_that_another_replaced_meanwhile_can_still_be_accepted(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE, help={"mode": "shown", "holdout": 0.0})
    land(cast.project, item("a", "The sky is green."))
    task = Task.objects.get()
    critique, verdict = one_critique(cast, task, "one")
    assert assigning.next_shown(desk=seated(cast))
    one_critique(cast, task, "two")
    said = Said(0, 0, 3, type="wrong", severity="minor", polarity=-1, comment="one", derived_from=critique.pk)
    more = Answer([said], [Judged("correct", True, derived_from=verdict.pk)])
    made = annotating.submit(desk=seated(cast), task_id=task.pk, commit=Commit("a"), more=more)
    [kept], [answer] = Critique.objects.filter(annotation=made.id), Verdict.objects.filter(annotation=made.id)
    assert (kept.review, kept.derived_from, answer.review) == ("accepted", critique, "accepted")


def test_labels_of_suggestions_follow_the_protocol(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE, help={"mode": "shown", "holdout": 0.0})
    land(cast.project, item("a", "The sky is green."))
    task = Task.objects.get()
    source, _ = one_critique(cast, task, "one")
    shown = assigning.next_shown(desk=seated(cast))
    assert shown is not None
    said = Said(0, 0, 3, type="wrong", severity="minor", polarity=-1, comment="one", derived_from=source.pk)
    first = annotating.submit(desk=seated(cast), task_id=task.pk, commit=Commit("a"), more=Answer([said]))
    critiques = {**cast.project.protocol.critiques, "types": [{"name": "false"}, {"name": "vague"}]}
    projects.revise_protocol(project=cast.project, critiques=critiques, relabelled={"types": {"wrong": "false"}})
    desk = seated(cast)
    [told] = suggesting.for_screen(desk, shown)
    assert told["critiques"][0]["type"] == "false"
    with pytest.raises(Invalid, match="milliseconds"):
        late = Answer([replace(said, rejected=True, review_ms=2**31)])
        annotating.submit(desk=desk, task_id=task.pk, commit=Commit("late"), more=late)
    mine = Annotation.objects.get(pk=first.id)
    assert what_was_said(desk, mine, shown)["critiques"][0]["type"] == "false"
    for key, more in (("b", replace(said, type="false")), ("c", replace(said, rejected=True))):
        made = annotating.submit(desk=desk, task_id=task.pk, commit=Commit(key), more=Answer([more]))
        kept = Critique.objects.get(annotation=made.id)
        assert (kept.review, kept.type) == ("accepted" if key == "b" else "rejected", "false")
    projects.revise_protocol(project=cast.project, critiques={**critiques, "types": [{"name": "vague"}]})
    gone = Answer([replace(said, rejected=True)])
    made = annotating.submit(desk=seated(cast), task_id=task.pk, commit=Commit("d"), more=gone)
    assert Critique.objects.get(annotation=made.id).review == "rejected"


def test_the_same_key_is_the_same_answer_under_a_later_protocol(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE)
    land(cast.project, item("a", "The sky is green."))
    shown = assigning.next_shown(desk=seated(cast))
    assert shown is not None
    more = Answer(verdicts=[Judged("correct", True)])
    first = annotating.submit(desk=seated(cast), task_id=shown.task_id, commit=Commit("a"), more=more)
    projects.revise_protocol(project=cast.project, questions=[{"name": "other", "question": "?"}])
    again = annotating.submit(desk=seated(cast), task_id=shown.task_id, commit=Commit("a"), more=more)
    assert again.id == first.id and Annotation.objects.count() == 1


def test_a_critique_moved_to_another_response_is_an_edited_one(cast: Cast) -> None:
    ask(cast.project, TaskKind.RANKING, help={"mode": "shown", "holdout": 0.0})
    land(cast.project, item("a", "The same.", {"text": "The same.", "model": "m"}))
    one_critique(cast, Task.objects.get(), "one")
    desk = seated(cast)
    shown = assigning.next_shown(desk=desk)
    assert shown is not None
    [told] = suggesting.for_screen(desk, shown)
    other = 1 - told["critiques"][0]["response"]
    moved = {**told, "critiques": [{**told["critiques"][0], "response": other}], "verdicts": [], "ranks": [1, 2]}
    assert committed(desk, shown, moved, "a").critiques.get().review == "edited"
