"""Rows that come again changed: responses stay what they were, answers stay, votes take each other's place."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from curation.access import annotator_for
from curation.errors import OverlapFull
from curation.models import Annotation, Annotator, Assignment, Item, Pair, Project, Response, Task, User
from curation.services import annotating, assigning, removing
from curation.services.desk import desk_of, progress_now
from tests.cast import Cast, make_project
from tests.imports import answers, bring, bring_file, counts, file_of, in_order, refusals, row, snapshot


def take(user: User, project: Project) -> int:
    """The id of a task that `user` now holds."""
    held = assigning.next_for(project=project, annotator=annotator_for(user, project))
    assert held is not None
    return held.task_id


def answer(user: User, project: Project, value: int = 1) -> int:
    """The id of a task that `user` has answered."""
    task_id = take(user, project)
    commit = annotating.Commit(f"{user}-{task_id}-{value}")
    judged = [annotating.Judgement("overall", value)]
    annotating.submit(
        desk=desk_of(project, annotator_for(user, project)), task_id=task_id, judgements=judged, commit=commit
    )
    return task_id


def skip(user: User, project: Project) -> int:
    desk, task_id = desk_of(project, annotator_for(user, project)), take(user, project)
    annotating.skip(desk=desk, task_id=task_id, reason="", commit=annotating.Commit(f"{user}-skip-{task_id}"))
    return task_id


def left(user: User, project: Project) -> int:
    return progress_now(annotator_for(user, project).pk).left


def live() -> set[tuple[str, str]]:
    """The texts of the pairs that are compared, each in alphabetical order."""
    pairs = Pair.objects.filter(deleted_at=None).values_list("first__text", "second__text")
    return {(min(a, b), max(a, b)) for a, b in pairs}


# --- Responses and pairs ------------------------------------------------------------------------------


def test_a_new_text_is_a_new_response_and_the_old_pair_is_put_away(project: Project) -> None:
    bring(project, row("1", "A", "B"), row("2"))
    result = bring(project, row("1", "A", "C"), row("2"))
    assert counts(result) == (0, 1, 1, 0) and result["tasks"] == 0 and project.task_count == 2
    assert ("A", "C") in live() and ("A", "B") not in live()
    old = Response.objects.get(text="B")
    assert old.deleted_at is not None and Task.objects.get(pair__second=old).state == "retired"
    before = snapshot(project)
    assert counts(bring(project, row("1", "A", "C"), row("2"))) == (0, 0, 2, 0)
    assert snapshot(project) == before


def test_a_text_that_comes_back_is_the_response_that_was_there(project: Project) -> None:
    bring(project, row("1", "A", "B"))
    was = Task.objects.get()
    bring(project, row("1", "A", "C"))
    bring(project, row("1", "A", "B"))
    assert live() == {("A", "B")} and Response.objects.count() == 3 and project.task_count == 1
    assert [task.pk for task in Task.objects.filter(state="open")] == [was.pk]
    assert not Response.objects.get(text="B").deleted_at and Response.objects.get(text="C").deleted_at


def test_another_prompt_or_metadata_keeps_responses_pairs_and_tasks(project: Project) -> None:
    bring(project, row("1"))
    before = snapshot(project)[3:]
    assert counts(bring(project, row("1", prompt="Better asked?", metadata={"a": 1}, context={"b": 2}))) == (0, 1, 0, 0)
    item = Item.objects.get()
    assert item.prompt[0]["content"] == "Better asked?" and (item.metadata, item.context) == ({"a": 1}, {"b": 2})
    assert snapshot(project)[3:] == before


def test_the_same_text_by_another_model_is_another_response(project: Project) -> None:
    bring(project, row("1", "A", "B"))
    bring(project, row("1") | {"responses": ["A", {"text": "B", "model": "m"}]})
    assert Response.objects.filter(deleted_at=None).count() == 2 and Response.objects.count() == 3


def test_the_same_responses_in_another_order_are_the_same_pairs(project: Project) -> None:
    bring(project, row("1", "A", "B", "C"))
    pairs = list(Pair.objects.order_by("pk").values_list())
    result = bring(project, row("1", "C", "A", "B"))
    assert counts(result) == (0, 1, 0, 0) and result["tasks"] == 0
    assert list(Pair.objects.order_by("pk").values_list()) == pairs
    assert [r.text for r in Response.objects.order_by("position")] == ["C", "A", "B"]


def test_another_pairing_of_the_same_row_makes_and_retires_tasks(project: Project) -> None:
    given = row("1", "A", "B", "C", "D")
    assert bring(project, given)["tasks"] == 6
    assert bring(project, given, pairing="first")["tasks"] == -3 and project.task_count == 3
    assert live() == {("A", "B"), ("A", "C"), ("A", "D")}
    assert bring(project, given, pairing="ring")["tasks"] == 1 and project.task_count == 4


def test_an_item_that_was_deleted_comes_back_with_its_row(project: Project) -> None:
    bring(project, row("1"), row("2"))
    removing.remove(project=project, ids=Item.objects.values_list("pk", flat=True), user=None)
    assert project.item_count == 2 and counts(bring(project, row("1"), row("2", "A", "B"))) == (0, 2, 0, 0)
    assert not Item.objects.exclude(deleted_at=None).exists() and project.item_count == 2
    assert counts(bring(project, row("1"), row("2", "A", "B"))) == (0, 0, 2, 0)


# --- People at work meanwhile -------------------------------------------------------------------------


def test_answers_stay_and_what_is_left_for_each_annotator_is_right(cast: Cast) -> None:
    project = cast.project
    Project.objects.filter(pk=project.pk).update(overlap=2)
    bring(project, *(row(str(n)) for n in range(6)))
    half, whole = answer(cast.ann, project), answer(cast.ann, project)
    skipped, held = skip(cast.ann, project), take(cast.ann, project)
    for _ in range(2):
        answer(cast.bob, project)
    assert (left(cast.ann, project), left(cast.bob, project)) == (3, 4)
    bring(project, *(row(str(n), "new", "text") for n in range(6)))
    assert Annotation.objects.count() == 5
    assert Task.objects.get(pk=held).taken == 0 and not Assignment.objects.filter(state="reserved").exists()
    assert {Task.objects.get(pk=pk).state for pk in (half, whole)} == {"complete"}
    assert Task.objects.get(pk=skipped).state == "retired"
    assert (left(cast.ann, project), left(cast.bob, project)) == (6, 6)
    assert take(cast.ann, project) not in (half, whole, skipped, held)


def test_a_pair_that_comes_back_asks_only_those_who_have_not_answered_it(cast: Cast) -> None:
    project = cast.project
    Project.objects.filter(pk=project.pk).update(overlap=2)
    bring(project, row("1", "A", "B"))
    task_id = answer(cast.ann, project)
    for texts in (("A", "C"), ("A", "B")):
        bring(project, row("1", *texts))
    assert (left(cast.ann, project), left(cast.bob, project)) == (0, 1)
    assert answer(cast.bob, project) == task_id and Task.objects.get(pk=task_id).state == "complete"
    in_order(project)


def test_an_answer_on_its_way_when_the_pair_goes_is_kept_but_not_counted(cast: Cast) -> None:
    bring(cast.project, row("1", "A", "B"))
    task_id = take(cast.ann, cast.project)
    bring(cast.project, row("1", "A", "C"))
    desk = desk_of(cast.project, annotator_for(cast.ann, cast.project))
    with pytest.raises(OverlapFull):
        judged = [annotating.Judgement("overall", 1)]
        annotating.submit(desk=desk, task_id=task_id, judgements=judged, commit=annotating.Commit("late"))
    in_order(cast.project)
    assert take(cast.ann, cast.project) != task_id


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_an_answer_given_in_the_same_moment_and_the_import_wait_for_each_other() -> None:
    project, ann = make_project("busy"), User.objects.create_user("ann")
    bring(project, row("1", "A", "B"))
    task_id, answered = take(ann, project), threading.Event()
    desk = desk_of(project, annotator_for(ann, project))

    def submit() -> None:
        with transaction.atomic():
            judged = [annotating.Judgement("overall", 1)]
            annotating.submit(desk=desk, task_id=task_id, judgements=judged, commit=annotating.Commit("k"))
            answered.set()
            threading.Event().wait(0.5)
        connection.close()

    other = threading.Thread(target=submit)
    other.start()
    answered.wait(10)
    result = bring_file(project, file_of([row("1", "A", "C")]))
    other.join()
    in_order(project)
    task = Task.objects.get(pk=task_id)
    assert (task.state, task.taken, task.done) == ("complete", 1, 1) and result["tasks"] == 1


# --- Votes --------------------------------------------------------------------------------------------


def vote(value: int | None, annotator: str = "w", **more: Any) -> dict[str, Any]:
    said = {"both_bad": True} if value is None else {"value": value}
    return {"annotator": annotator} | said | more


def test_votes_become_annotations_of_people_models_and_programs(cast: Cast) -> None:
    given = [vote(-2, rationale="clear"), vote(1, "gpt", kind="model"), vote(None, "rule", kind="program")]
    result = bring(cast.project, row("1", "A", "B", votes=[*given, vote(0, "@ann")]))
    assert result["votes"] == 4
    assert answers(cast.project) == {
        ("1", name, "A", "B"): value
        for name, value in {"w": -2, "model:gpt": 1, "program:rule": None, "imported @ann": 0}.items()
    }
    assert not Annotator.objects.exclude(user=None).exists()
    first = Annotation.objects.order_by("pk").first()
    assert first is not None and (first.rationale, first.source, first.order) == ("clear", "import", "")
    assert first.protocol == cast.project.protocol and Task.objects.get().done == 0


def test_a_changed_vote_supersedes_and_the_others_stay(project: Project) -> None:
    bring(project, row("1", "A", "B", votes=[vote(-1), vote(1, "v")]))
    result = bring(project, row("1", "A", "B", votes=[vote(2), vote(1, "v")]))
    assert (result["votes"], result["updated"]) == (1, 1)
    assert answers(project) == {("1", "w", "A", "B"): 2, ("1", "v", "A", "B"): 1}
    assert Annotation.objects.get(supersedes__isnull=False).annotator.name == "w" and Annotation.objects.count() == 3


def test_a_vote_that_goes_back_and_forth_stands_as_it_was_said_last(project: Project) -> None:
    for n, value in enumerate((-1, 1, -1, 1, 1, None, -1)):
        bring(project, row("1", "A", "B", votes=[vote(value)], metadata={"n": n}))
    assert answers(project) == {("1", "w", "A", "B"): -1} and Annotation.objects.count() == 6


def test_a_vote_that_is_gone_from_the_file_stays(project: Project) -> None:
    bring(project, row("1", "A", "B", votes=[vote(-1)]))
    bring(project, row("1", "A", "B"))
    assert answers(project) == {("1", "w", "A", "B"): -1}


@pytest.mark.parametrize(
    ("texts", "again", "expected", "new"),
    [
        (("A", "B"), vote(1, first=1, second=0), -1, 0),
        (("A", "B"), vote(-1, first=1, second=0), 1, 1),
        (("B", "A"), vote(1), -1, 0),
        (("B", "A"), vote(-1), 1, 1),
        (("B", "A"), vote(-1, first=1, second=0), -1, 0),
    ],
)
def test_a_vote_is_about_the_texts_whatever_their_order(
    project: Project, texts: tuple[str, str], again: dict[str, Any], expected: int, new: int
) -> None:
    bring(project, row("1", "A", "B", votes=[vote(-1)]))
    assert bring(project, row("1", *texts, votes=[again]))["votes"] == new
    assert answers(project) == {("1", "w", "A", "B"): expected}


def test_a_probability_is_turned_with_its_vote(project: Project) -> None:
    rated = [{"model": "m", "text": "B", "gpt4_win_rate_vs_baseline": 0.9}]
    given: dict[str, Any] = {"id": "1", "prompt": "?", "baseline": {"model": "base", "text": "A"}, "responses": rated}
    turned = given | {"baseline": rated[0], "responses": [given["baseline"] | {"gpt4_win_rate_vs_baseline": 0.25}]}
    said = []
    for one in (given, turned):
        bring(project, one, format="alpaca-eval")
        preference = Annotation.objects.answers().get().preferences.get()
        said.append((preference.value, preference.probability))
    assert said == [(1, 0.9), (1, 0.75)]


# --- Judgements of pairs that are there ---------------------------------------------------------------


def judged(name: str, choice: str, judge: str = "gpt-4") -> dict[str, str]:
    return {"id": name, "judge": judge, "choice": choice}


def test_judgements_find_their_pairs_once_and_those_without_are_refused(project: Project) -> None:
    bring(project, row("1", "A", "B"), row("2", "A", "B", pairs=[[0, 1]]))
    given = [judged("1", "a"), judged("2", "tie"), judged("3", "b"), judged("1", "b", "gpt-3.5")]
    result = bring(project, *given)
    assert (result["votes"], result["rejected"], counts(result)[:3]) == (3, 1, (0, 0, 0))
    assert refusals(result) == [(3, "id", "names no pair of this project; import the pairs first")]
    before = snapshot(project)
    assert bring(project, *given)["votes"] == 0 and snapshot(project) == before
    assert bring(project, judged("1", "b"))["votes"] == 1
    assert answers(project)["1", "model:gpt-4", "A", "B"] == 1


def test_a_judgement_of_a_pair_that_is_not_compared_says_so(project: Project) -> None:
    other = make_project("other")
    bring(other, row("1", "A", "B"))
    result = bring(project, judged("1", "a"))
    assert refusals(result)[0][2].startswith("names no pair of this project")
    bring(project, row("1", "A", "B", "C", "D", pairs=[[0, 3], [1, 3]]))
    assert "no pair of it with these two responses" in refusals(bring(project, judged("1", "a")))[0][2]


def test_a_judgement_is_about_the_places_in_the_latest_file(project: Project) -> None:
    bring(project, row("1", "A", "B"), row("2", "A", "B"))
    bring(project, row("1", "C", "A"), row("2", "B", "A"))
    bring(project, judged("1", "a"), judged("2", "a"))
    assert answers(project) == {("1", "model:gpt-4", "A", "C"): 1, ("2", "model:gpt-4", "A", "B"): 1}


# --- Any change ---------------------------------------------------------------------------------------

TEXT = st.sampled_from(["A", "B", "C", "D"])
VOTE = st.builds(
    lambda value, name, places: vote(value, name, first=places[0], second=places[1]),
    st.sampled_from([-1, 1, None]),
    st.sampled_from(["v", "w"]),
    st.sampled_from([(0, 1), (1, 0)]),
)
ROW = st.builds(
    lambda texts, votes: row(None, *texts, votes=votes),
    st.lists(TEXT, min_size=2, max_size=4, unique=True),
    st.lists(VOTE, max_size=3),
)
FILE = st.lists(st.none() | ROW, min_size=2, max_size=2)


@pytest.mark.django_db
@examples(max_examples=25, deadline=None)
@given(files=st.lists(FILE, min_size=2, max_size=3))
def test_after_any_changes_a_project_says_what_the_last_file_says(files: list[list[dict[str, Any] | None]]) -> None:
    project = make_project(f"old{Project.objects.count()}")
    user = User.objects.create_user(f"ann{project.pk}")
    rows: list[dict[str, Any]] = []
    for n, file in enumerate(files):
        rows = [{"id": str(i)} | given for i, given in enumerate(file) if given]
        if n == 1 and Task.objects.filter(project=project, state="open").count() > 1:
            answer(user, project)
            take(user, project)
        if rows:
            bring(project, *rows)
    if rows:
        assert bring(project, *rows)["votes"] == 0
        fresh = make_project(f"new{project.pk}")
        bring(fresh, *rows)
        assert pairs_of(fresh).items() <= pairs_of(project).items()
        assert answers(fresh).items() <= answers(project).items()


def pairs_of(project: Project) -> dict[str, set[tuple[str, ...]]]:
    """The live pairs of each item."""
    found: dict[str, set[tuple[str, ...]]] = {}
    pairs = Pair.objects.filter(item__project=project, deleted_at=None)
    for name, *texts in pairs.values_list("item__external_id", "first__text", "second__text"):
        found.setdefault(name, set()).add(tuple(sorted(texts)))
    return found
