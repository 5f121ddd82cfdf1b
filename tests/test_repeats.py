"""Preferences asked again with the sides swapped: like any task to who answers, and nothing to anything that counts."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from curation.access import annotator_for
from curation.errors import Conflict, Invalid
from curation.models import (
    Annotation,
    Annotator,
    Assignment,
    Check,
    Decision,
    Evaluation,
    Item,
    ModelVersion,
    Preference,
    Progress,
    Project,
    Protocol,
    Repeat,
    Review,
    Run,
    Share,
    Tally,
    Task,
)
from curation.models.repeats import REPEATED
from curation.services import annotating, commenting, crowd, deciding, projects, removing, running, starting
from curation.services.concord import keeping as concord
from curation.services.deciding import Filters
from curation.services.freezing import comparing, moments
from curation.services.freezing.companions import write_companions
from curation.services.gold import rules
from curation.services.repeating import keeping
from curation.services.repeating.ahead import Again
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_checks import speak
from tests.test_freezing import frozen, lines
from tests.test_gold import Person as Golden
from tests.test_gold import make_gold, work
from tests.test_people import browser
from workers.habits.repeats import consistency

COUNTED = (Annotation, Preference, Task, Assignment, Progress, Tally, Share, Decision, Review)


class Person(Golden):
    """As at any desk: values are in the order of the pair."""

    def answer(self, task_id: int, stored: int = -1) -> annotating.Committed:
        mine = Repeat.objects.filter(pk=task_id - REPEATED) if task_id >= REPEATED else None
        held: Any = mine.get() if mine else Assignment.objects.get(task=task_id, annotator=self.annotator)
        said = [annotating.Judgement("overall", -stored if held.order == "ba" else stored)]
        return annotating.submit(desk=self.desk, task_id=task_id, judgements=said, commit=self.commit())


@pytest.fixture
def again(cast: Cast) -> Cast:
    """Forty pairs; behind each five tasks one is asked again, once five lie between."""
    make_pairs(cast.project, 40)
    projects.change_project(project=cast.project, repeat_percent=20, repeat_after=5)
    return cast


def until_repeat(person: Person, stored: int = -1) -> Any:
    """Answer until something is asked again; that."""
    for _ in range(50):
        shown = person.next()
        assert shown is not None
        if shown.task_id >= REPEATED:
            return shown
        person.answer(shown.task_id, stored)
    raise AssertionError("nothing was asked again")


def rows() -> dict[str, list[Any]]:
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in COUNTED}  # type: ignore[attr-defined]


# --- Among the others -----------------------------------------------------------------------------------


def test_a_repeat_is_an_earlier_pair_of_the_same_person_with_its_sides_swapped(again: Cast) -> None:
    ann, seen, asked = Person(again, again.ann), {}, 0
    before = ann.desk.progress
    for turn in range(60):
        shown = ann.next()
        if shown is None:
            break
        texts = [response.text for response in shown.responses]
        if shown.task_id >= REPEATED:
            asked += 1
            task = Repeat.objects.get(pk=shown.task_id - REPEATED).task_id
            assert seen[task] == texts[::-1] and list(seen)[-5:].count(task) == 0
        else:
            seen[shown.task_id] = texts
        assert ann.next().task_id == shown.task_id, "a reload shows the same"
        ann.answer(shown.task_id)
        now = ann.desk.progress
        assert (now.done, now.total) == (turn + 1, before.total), "nobody sees by the numbers which one it was"
    assert len(seen) == 40 and 5 <= asked <= 7 and ann.desk.progress.left == 0
    assert Repeat.objects.values("task").distinct().count() == asked, "no pair is asked a third time"
    assert Progress.objects.get(annotator=ann.annotator).done == 40


def test_it_counts_in_nothing(again: Cast) -> None:
    ann = Person(again, again.ann)
    shown = until_repeat(ann)
    concord.kept_up(again.project)
    before, decided = rows(), list(deciding.decisions(again.project, Filters()))
    version = frozen(again)
    raw = frozen(again, target="annotations")
    skipped = annotating.skip(desk=ann.desk, task_id=shown.task_id, reason="hm", commit=ann.commit())
    ann.undo(skipped)
    ann.answer(shown.task_id, 2)
    assert Repeat.objects.get().preferences == {"overall": 2}
    assert rows() == before and list(deciding.decisions(again.project, Filters())) == decided
    later, raw_later = frozen(again), frozen(again, target="annotations")
    assert version.facts == later.facts
    for split, old, new in (("train", version, later), ("train", raw, raw_later), ("lineage", version, later)):
        assert lines(old, split) == lines(new, split), split
    made = concord.kept_up(again.project)
    assert made is not None and rows()["Task"] == before["Task"]


def test_without_the_setting_nothing_is_asked_twice_and_a_round_of_training_is_not_broken(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 20)
    ann = Person(cast, cast.ann)
    assert ann.desk.again is None
    projects.change_project(project=cast.project, repeat_percent=20, repeat_after=1)
    shown = until_repeat(ann)
    make_gold(cast, tasks[15:], -1, phase="training")
    rules.change_rules(project=cast.project, changes={"training": 2})
    Progress.objects.update(trained_at=None)
    assert ann.next().task_id != shown.task_id
    projects.change_project(project=cast.project, repeat_percent=0)
    rules.change_rules(project=cast.project, changes={"training": 0})
    assert ann.next().task_id < REPEATED
    ann.answer(shown.task_id)
    assert Repeat.objects.get().state == "answered", "what was on the screen is kept all the same"


def test_gold_comments_and_what_was_taken_out_are_not_asked_again(again: Cast) -> None:
    ann = Person(again, again.ann)
    first = until_repeat(ann)
    task = Task.objects.get(pk=Repeat.objects.get().task_id)
    assert task.pair is not None
    removing.remove(project=again.project, ids=[task.pair.item_id], user=again.mia)
    assert ann.next().task_id < REPEATED
    assert Repeat.objects.get().state == "skipped"
    for item in Item.objects.filter(deleted_at=None):
        commenting.write(item=item, user=again.ann, text="Seen.")
    assert not any(task_id >= REPEATED for task_id in work(ann, 15))
    assert first.task_id >= REPEATED


def test_guests_are_asked_again_and_their_quota_counts_it(again: Cast) -> None:
    link, _ = crowd.make_link(project=again.project, by=again.mia, name="l", quota=20, most_people=2, days=1)
    guest = crowd.begin(link)
    person = Person(again, guest.user)
    for turn in range(20):
        seat = crowd.seat_of(guest.user)
        assert seat is not None and (seat.done, seat.left) == (turn, 20 - turn), "no step tells which one it was"
        assert crowd.wants_more(guest.user, [])
        shown = person.next()
        assert shown is not None
        person.answer(shown.task_id)
    asked = Repeat.objects.filter(annotator=person.annotator, state="answered").count()
    assert asked and Progress.objects.get(annotator=person.annotator).done == 20 - asked
    assert not crowd.wants_more(guest.user, []) and crowd.finish(guest.user).left == 0
    assert crowd.with_progress([guest]) == [(guest, 20)]


def test_raw_answers_of_a_version_tell_repeats_as_repeats(again: Cast) -> None:
    ann = Person(again, again.ann)
    shown = until_repeat(ann)
    before = frozen(again)
    ann.answer(shown.task_id, 2)
    repeat = Repeat.objects.get()
    version = frozen(again)
    rows = lines(version, "annotations")
    assert all(row["repeat_of"] is None for row in rows[:-1]) and rows[:-1] == lines(before, "annotations")
    row = rows[-1]
    assert (row["repeat_of"], row["annotation"]) == (repeat.first_id, repeat.last_event)
    assert (row["axis"], row["value"], row["both_bad"], row["shown_order"]) == ("overall", 2, False, repeat.order)
    said_at = moments.in_utc(repeat.commits[-1]["at"])
    assert (row["annotator"], row["task"], row["created_at"]) == ("@ann", repeat.task_id, said_at)
    named = {pk for trace in lines(version, "lineage") for pk in trace["annotations"]}
    assert row["annotation"] not in named and row["repeat_of"] in named
    told = comparing.People(version)
    told.add(lines(version, "lineage"))
    assert told.name_of(row["annotation"]) == "@ann" and told.rows["@ann"] == version.counts["total"]
    ann.undo(annotating.skip(desk=ann.desk, task_id=ann.next().task_id, reason="", commit=ann.commit()))
    ann.undo(keeping.Kept(repeat.last_event, "answer", repeat.number))  # type: ignore[arg-type]
    assert lines(frozen(again), "annotations") == lines(before, "annotations")
    for one in (before, version):
        run = starting.start(
            project=again.project, method="verify", params={"dataset": one.dataset.name, "number": one.number},
            user=again.mia,
        )  # fmt: skip
        running.execute(str(run.pk))
        run.refresh_from_db()
        assert run.result["same"] and run.result["files_ok"], "made again as it stood then"


def test_a_version_from_before_repeats_were_told_is_made_again_without_them(again: Cast) -> None:
    ann = Person(again, again.ann)
    ann.answer(until_repeat(ann).task_id)
    version = frozen(again)
    del version.lineage["repeats_upto"]
    building = Path(tempfile.mkdtemp())
    write_companions(version, building, {})
    first, *_, last = map(json.loads, (building / "annotations.jsonl").read_text().splitlines())
    assert "repeat_of" not in first and last["annotation"] < REPEATED


def test_critiques_are_not_asked_twice(again: Cast) -> None:
    Protocol.objects.update(critiques={"on": True, "types": [{"name": "wrong"}]})
    again.project.refresh_from_db()
    assert not any(task_id >= REPEATED for task_id in work(Person(again, again.ann), 20))


def test_places_follow_from_the_seed_and_what_is_to_come_is_counted() -> None:
    def desk(over: int, in_hand: int = 0, **more: int) -> Again:
        given = {"answered": 0, "skipped": 0, "open": 0, "next_place": 0, **more}
        return Again(percent=5, after=10, seed="s", over=over, in_hand=in_hand, **given)

    due = [place for place in range(400) if desk(place).due]
    assert len(due) in (18, 19, 20) and min(due) >= 14
    assert desk(0).coming(400) == len(due) == desk(390, 10).coming(0) + sum(1 for place in due if place < 400)
    there = due[3]
    assert not desk(there, next_place=there + 1).due and not desk(there, open=1).due
    assert desk(there - 2, 2).due and desk(there - 2, 2, open=1, next_place=there + 1).coming(2) == 1


# --- On the screen and over the API -----------------------------------------------------------------------


def test_the_screen_shows_it_like_any_task(again: Cast) -> None:
    ann = Person(again, again.ann)
    until_repeat(ann)
    client, api = browser(again.ann), calling(again.ann)
    root = f"/projects/{again.project.slug}/annotate/"
    repeat = Repeat.objects.get()
    page = client.get(root).content.decode()
    mark = f'data-task="{repeat.number}"'
    assert mark in page and "again" not in page.split("<main")[1].split("</main>")[0].lower()
    assert mark not in client.post(f"{root}next/", {"exclude": repeat.number}).content.decode()
    body = {"preferences": [{"axis": "overall", "value": 1}], "rationale": "so", "active_ms": 4000}

    def send(address: str, key: str, told: Any = None) -> Any:
        return api.post(f"/api/v1/{address}", told or {}, format="json", headers={"idempotency-key": key})

    wrong = send(f"tasks/{repeat.number}/submit", "w", {"preferences": []})
    assert wrong.status_code == 422 and not Repeat.objects.get().commits
    made = [send(f"tasks/{repeat.number}/submit", "k1", body).json()["annotation"] for _ in range(2)]
    assert made[0] == made[1] and made[0]["event"] == "answer"
    repeat.refresh_from_db()
    assert repeat.preferences == {"overall": 1 if repeat.order == "ab" else -1} and repeat.active_ms == 4000
    assert client.get(f"{root}last/").json() | {"scope": ""} == {
        "scope": "", "annotation": made[0]["id"], "task": repeat.number, "rationale": "so",
    }  # fmt: skip
    assert send(f"tasks/{repeat.number}/skip", "k2").status_code == 409
    assert send(f"annotations/{made[0]['id']}/undo", "k3").status_code == 200
    assert client.get(f"{root}last/").json()["task"] < REPEATED
    assert mark in client.get(f"{root}tasks/{repeat.number}/").content.decode()
    assert client.get(f"{root}tasks/{repeat.number}/comments/").status_code == 200
    assert send(f"annotations/{made[0]['id']}/undo", "k4").status_code == 409
    assert send(f"tasks/{repeat.number}/submit", "k5", body).status_code == 200
    repeat.refresh_from_db()
    assert [one["event"] for one in repeat.commits] == ["answer", "undo", "answer"]
    listed = "/api/v1/projects/helpfulness/checks/repeats"
    [row] = calling(again.vic).get(listed).json()["results"]
    assert (row["annotator"], row["annotation"], row["state"]) == ("@ann", repeat.first_id, "answered")
    assert row["preferences"] == repeat.preferences and calling(again.bob).get(listed).status_code == 403
    stranger = calling(again.bob)
    annotator_for(again.bob, again.project)
    for address in (
        f"tasks/{repeat.number}/submit",
        f"annotations/{made[0]['id']}/undo",
        f"tasks/{repeat.number}/comments",
    ):
        answer = stranger.post(f"/api/v1/{address}", body, format="json", headers={"idempotency-key": "b"})
        assert answer.status_code == 404, address
    assert browser(again.bob).get(f"{root}tasks/{repeat.number}/").status_code == 404


def test_a_released_repeat_comes_back_and_one_task_is_answered_only_so_often(again: Cast) -> None:
    ann = Person(again, again.ann)
    shown = until_repeat(ann)
    assert calling(again.ann).post(f"/api/v1/tasks/{shown.task_id}/release").status_code == 204
    assert not Repeat.objects.exists()
    shown = until_repeat(ann)
    Repeat.objects.update(commits=[{"key": str(n), "event": "answer"} for n in range(64)])
    with pytest.raises(Conflict, match="too often"):
        ann.answer(shown.task_id)


def test_settings(cast: Cast) -> None:
    page = browser(cast.mia).get("/projects/helpfulness/settings/").content.decode()
    assert "sides swapped" in page
    api = calling(cast.mia)
    assert api.patch("/api/v1/projects/helpfulness", {"repeat_percent": 3}, format="json").json()["repeat_percent"] == 3
    assert Project.objects.get().repeat_percent == 3
    with pytest.raises(Invalid) as told:
        projects.change_project(project=cast.project, repeat_after=0)
    assert told.value.field == "repeat_after"


# --- What it tells ----------------------------------------------------------------------------------------


def test_consistency_tells_a_habit_of_the_hand_from_a_change_of_mind() -> None:
    by_hand = consistency([(-1, 1)] * 8 + [(-2, -1)] * 2)
    assert (by_hand.same.count, by_hand.same_side.count, by_hand.same_side.n) == (2, 8, 10)
    steady = consistency([(-1, -2), (0, 0), (0, 1), ("both_bad", "both_bad"), (2, "both_bad")])
    assert (steady.same.count, steady.same.n, steady.same_side.n) == (3, 5, 1)
    assert {name: (one.count, one.n) for name, one in steady.strengths.items()} == {
        "0": (1, 2), "1": (1, 1), "2": (0, 1), "both_bad": (1, 1),
    }  # fmt: skip
    assert consistency([]).same.n == 0


def test_who_follows_the_side_stands_out_and_few_repeats_accuse_nobody(cast: Cast) -> None:
    make_pairs(cast.project, 30)
    tasks = list(Task.objects.order_by("pk"))
    values = {task.pk: -1 if task.pk % 2 else 2 for task in tasks}
    for name, turned, n in (("steady", 1, 30), ("firm", 1, 30), ("lefty", -1, 30), ("few", -1, 4)):
        speak(cast, name, "person", tasks, {pk: ("ab", value) for pk, value in values.items()})
        who = Annotator.objects.get(name=name)
        for place, first in enumerate(Annotation.objects.filter(annotator=who).order_by("pk")[:n]):
            Repeat.objects.create(
                project=cast.project, annotator=who, task_id=first.task_id, first=first, place=place, order="ba",
                state="answered", preferences={"overall": turned * values[first.task_id]},
            )  # fmt: skip
    undone = Annotation.objects.filter(annotator__name="steady").order_by("pk")[0]
    Annotation.objects.create(
        project=cast.project, task=undone.task, annotator=undone.annotator, protocol=undone.protocol, event="undo",
        source="web", idempotency_key="undone", supersedes=undone,
    )  # fmt: skip
    critic = ModelVersion.objects.create(name="critic", number=1, kind="critic", reference="program:critic")
    speak(cast, "critic", "model", tasks, {pk: ("", value) for pk, value in values.items()})
    Evaluation.objects.create(
        model=critic, project=cast.project, benchmark="gold", main="accuracy", value=0.5, n=40, total=40,
        run=Run.objects.create(project=cast.project, method="evaluate"),
        scores={"same in both orders": {"value": 0.75, "low": 0.6, "high": 0.9, "n": 40}},
    )  # fmt: skip
    run = starting.start(project=cast.project, method="check", params={"style": False, "origin": False}, user=cast.mia)
    running.execute(str(run.pk))
    told = {check.annotator.name: check for check in Check.objects.exclude(annotator=None)}  # type: ignore[union-attr]
    figure = told["lefty"].signals["repeats"]
    assert (figure["count"], figure["n"], figure["strengths"]["1"]["n"], figure["same_side"]["share"]) == (0, 30, 15, 1)
    assert told["steady"].signals["repeats"]["n"] == 29 and "repeats" in told["lefty"].flags
    assert not any("repeats" in told[name].flags for name in ("steady", "firm", "few", "critic"))
    assert (told["critic"].signals["repeats"]["count"], told["critic"].signals["repeats"]["n"]) == (30, 40)
    page = browser(cast.rita).get("/projects/helpfulness/checks/").content.decode()
    assert "said the same in 0 % of 30 pairs when asked again with the sides swapped" in page
    assert "strength 2 0 % of 15" in page and "the same side 100 % of 30" in page
