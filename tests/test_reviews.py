"""A second pair of eyes: what is drawn, what becomes of it, and what stands afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from curation.access import annotator_for
from curation.errors import Conflict, Invalid, OverlapFull
from curation.models import Annotation, Assignment, Preference, Progress, Project, Review, Tally, Task
from curation.services import annotating, assigning, deciding, projects, reviews
from curation.services.annotating import Commit, Judgement
from curation.services.desk import desk_of, progress_now
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_assigning import answer, reserve
from tests.test_people import browser


@pytest.fixture
def reviewed(cast: Cast) -> Cast:
    projects.change_project(project=cast.project, review_levels=1, review_share=1.0)
    cast.project.refresh_from_db()
    return cast


def answered(cast: Cast, name: str = "ann", value: int = -1) -> Annotation:
    held = reserve(cast, name)
    answer(cast, held, value if held.order == "ab" else -value, key=f"{name}{held.pk}-{Annotation.objects.count()}")
    return Annotation.objects.latest("pk")


def next_(cast: Cast, name: str = "rita") -> Review:
    found = reviews.next_for(cast.project, cast.people[name])
    assert found is not None
    return found


def standing() -> list[tuple[int, str]]:
    """The preference of each standing answer, in stored order, and where it came from."""
    said = Preference.objects.filter(annotation__in=Annotation.objects.answers()).order_by("annotation")
    return list(said.values_list("value", "annotation__source"))


def test_about_the_share_that_is_wanted_is_drawn_and_nothing_without_review(cast: Cast) -> None:
    make_pairs(cast.project, 40)
    for _ in range(4):
        answered(cast)
    assert not Review.objects.exists()
    projects.change_project(project=cast.project, review_levels=1, review_share=0.5)
    cast.project.refresh_from_db()
    for _ in range(30):
        answered(cast)
    assert 6 <= Review.objects.count() <= 24


def test_an_accepted_answer_stands_and_is_counted_once(reviewed: Cast) -> None:
    make_pairs(reviewed.project, 1)
    answered(reviewed)
    review = next_(reviewed)
    reviews.accept(review, reviewed.rita)
    with pytest.raises(Conflict, match="faster"):
        reviews.accept(review, reviewed.mia)
    assert Progress.objects.get(annotator__user=reviewed.ann).accepted == 1
    assert reviews.next_for(reviewed.project, reviewed.mia) is None


def test_nobody_reviews_their_own_and_two_reviewers_see_two_answers(reviewed: Cast) -> None:
    make_pairs(reviewed.project, 3)
    for name in ("rita", "ann", "ann"):
        answered(reviewed, name)
    first, second = next_(reviewed, "rita"), next_(reviewed, "mia")
    assert first.annotator.user == reviewed.ann and first.pk != second.pk
    assert next_(reviewed, "rita").pk == first.pk
    assert reviews.next_for(reviewed.project, reviewed.rita, after=first.pk) not in (None, first)
    with pytest.raises(Conflict):
        reviews.accept(Review.objects.get(annotator__user=reviewed.rita), reviewed.rita)


def test_a_returned_answer_is_taken_back_and_comes_first_with_its_reason(reviewed: Cast) -> None:
    make_pairs(reviewed.project, 3)
    answered(reviewed)
    in_hand = reserve(reviewed, "ann")
    review = next_(reviewed)
    with pytest.raises(Invalid):
        reviews.give_back(review, reviewed.rita, " ")
    reviews.give_back(review, reviewed.rita, "Read both to the end")
    assert standing() == [] and Task.objects.get(pk=review.annotation.task_id).state == "open"
    back = reserve(reviewed, "ann")
    assert back.task_id == review.annotation.task_id != in_hand.task_id
    assert back.expires_at > timezone.now() + timedelta(days=6)
    assigning.keep_alive(annotator_id=back.annotator_id)
    assert Assignment.objects.get(pk=back.pk).expires_at > timezone.now() + timedelta(days=6)
    page = browser(reviewed.ann).get(f"/projects/{reviewed.project.slug}/annotate/").content.decode()
    assert "Returned by rita" in page and "Read both to the end" in page and "You said response" in page
    told = calling(reviewed.ann).post(f"/api/v1/projects/{reviewed.project.slug}/tasks/next", {}).json()
    assert told["task"]["returned"]["reason"] == "Read both to the end"
    answer(reviewed, back, 1, key="again")
    assert len(standing()) == 1 and Assignment.objects.get(pk=back.pk).review is None
    assert next_(reviewed).annotation.idempotency_key == "again"
    assert Progress.objects.get(annotator__user=reviewed.ann).returned == 1


def test_a_fix_stands_in_the_place_of_the_answer(reviewed: Cast) -> None:
    make_pairs(reviewed.project, 2)
    wrong = answered(reviewed, value=-1)
    review = reviews.fix(next_(reviewed), reviewed.rita, [Judgement("overall", 2)], rationale="The second is right")
    assert review.outcome == "fixed" and review.fix.supersedes == wrong
    assert standing() == [(2, "review")]
    task = Task.objects.get(pk=wrong.task_id)
    assert (task.state, task.taken, task.done) == ("complete", 1, 1)
    assert progress_now(wrong.annotator_id).done == 1 and progress_now(wrong.annotator_id).left == 1
    assert sum(Tally.objects.values_list("count", flat=True)) == 1
    [decision] = deciding.decisions(reviewed.project, deciding.Filters())
    assert (decision.outcome, decision.how, decision.votes) == ("second", "reviewed", 1)
    desk = desk_of(reviewed.project, wrong.annotator)
    with pytest.raises(Conflict):
        annotating.undo(desk=desk, annotation_id=wrong.pk, commit=Commit("u"))
    with pytest.raises(Conflict):
        annotating.submit(desk=desk, task_id=task.pk, judgements=[Judgement("overall", 1)], commit=Commit("s"))
    assert standing() == [(2, "review")] and annotating.last_of(desk=desk) is None


def test_a_fix_outweighs_the_other_answers(reviewed: Cast) -> None:
    projects.change_project(project=reviewed.project, overlap=3)
    reviewed.project.refresh_from_db()
    make_pairs(reviewed.project, 1)
    for name in ("ann", "bob", "mia"):
        answered(reviewed, name, value=-1)
    reviews.fix(next_(reviewed), reviewed.rita, [Judgement("overall", 1)])
    [decision] = deciding.decisions(reviewed.project, deciding.Filters())
    assert (decision.outcome, decision.how, decision.votes) == ("second", "reviewed", 3)


def test_a_fix_on_the_annotation_screen(reviewed: Cast) -> None:
    make_pairs(reviewed.project, 1)
    wrong = answered(reviewed)
    review, client = next_(reviewed), browser(reviewed.rita)
    address = f"/projects/{reviewed.project.slug}/review/{review.pk}/"
    sent = client.post(address, {"outcome": "fixed"})
    assert sent["Location"].endswith(f"/annotate/?task={wrong.task_id}")
    page = client.get(sent["Location"]).content.decode()
    assert "You are fixing the answer of ann" in page and 'data-after="/projects/' in page
    call = calling(reviewed.rita)
    body = {"preferences": [{"axis": "overall", "value": 1}]}
    sent = call.post(f"/api/v1/tasks/{wrong.task_id}/submit", body, format="json", HTTP_IDEMPOTENCY_KEY="k")
    assert sent.status_code == 200, sent.content
    assert standing() == [(1, "review")] and Review.objects.get().outcome == "fixed"


def test_an_answer_given_to_somebody_else(reviewed: Cast) -> None:
    make_pairs(reviewed.project, 2)
    first, second = answered(reviewed), answered(reviewed)
    bob = annotator_for(reviewed.bob, reviewed.project)
    reviews.reassign(next_(reviewed), reviewed.rita, "Not their language", bob.pk)
    reviews.reassign(next_(reviewed), reviewed.rita)
    assert reserve(reviewed, "ann") is None and reserve(reviewed, "bob").task_id == first.task_id
    assert reserve(reviewed, "mia").task_id == second.task_id
    held = Assignment.objects.get(annotator=bob)
    answer(reviewed, held)
    assert Annotation.objects.answers().get().annotator == bob
    task = Task.objects.get(pk=first.task_id)
    assert (task.state, task.taken, task.done) == ("complete", 1, 1)


def test_two_levels_are_two_people(reviewed: Cast) -> None:
    projects.change_project(project=reviewed.project, review_levels=2)
    make_pairs(reviewed.project, 2)
    answered(reviewed), answered(reviewed)
    reviews.accept(next_(reviewed), reviewed.rita)
    reviews.fix(next_(reviewed), reviewed.rita, [Judgement("overall", 1)])
    assert reviews.next_for(reviewed.project, reviewed.rita) is None
    for _ in range(2):
        second = next_(reviewed, "mia")
        assert second.level == 2
        if second.annotation.source == "review":
            with pytest.raises(Conflict):
                reviews.give_back(second, reviewed.mia, "no")
        reviews.accept(second, reviewed.mia)
    assert reviews.next_for(reviewed.project, reviewed.olga) is None


def test_an_answer_taken_back_waits_for_nobody(reviewed: Cast) -> None:
    make_pairs(reviewed.project, 1)
    made = answered(reviewed)
    desk = desk_of(reviewed.project, made.annotator)
    annotating.undo(desk=desk, annotation_id=made.pk, commit=Commit("u"))
    assert Review.objects.get().outcome == "overtaken"
    assert reviews.next_for(reviewed.project, reviewed.rita) is None


def test_a_late_answer_that_does_not_count_is_not_reviewed(reviewed: Cast) -> None:
    make_pairs(reviewed.project, 1)
    late = reserve(reviewed, "ann")
    assigning.release(annotator_id=late.annotator_id, task_id=late.task_id)
    answered(reviewed, "bob")
    with pytest.raises(OverlapFull):
        answer(reviewed, late, key="late")
    assert Review.objects.get().annotator.user == reviewed.bob


def test_a_project_without_review_pays_nothing_for_it(cast: Cast) -> None:
    def statements() -> int:
        held = reserve(cast, "ann")
        with CaptureQueriesContext(connection) as seen:
            answer(cast, held)
        return len(seen)

    make_pairs(cast.project, 3)
    statements()
    before = statements()
    Project.objects.update(review_levels=1, review_share=1.0)
    assert statements() <= before + 1


def test_reviews_over_the_api_and_the_pages(reviewed: Cast) -> None:
    make_pairs(reviewed.project, 4)
    made = [answered(reviewed) for _ in range(4)]
    call, root = calling(reviewed.rita), f"/api/v1/projects/{reviewed.project.slug}/reviews"
    first = call.post(f"{root}/next").json()
    assert first["annotation"] == made[0].pk and first["outcome"] == ""
    done = call.post(f"{root}/{first['id']}", {"outcome": "accepted"}, format="json").json()
    assert (done["outcome"], done["reviewer"]) == ("accepted", "rita")
    second = call.post(f"{root}/next").json()
    refused = call.post(f"{root}/{second['id']}", {"outcome": "returned"}, format="json")
    assert refused.status_code == 422 and refused.json()["errors"][0]["field"] == "reason"
    right = {"preferences": [{"axis": "overall", "value": 2}]}
    fixed = call.post(f"{root}/{second['id']}", {"outcome": "fixed", "answer": right}, format="json").json()
    assert fixed["fix"] == Annotation.objects.latest("pk").pk
    waiting = call.get(root, {"outcome": "waiting"}).json()["results"]
    assert [one["annotation"] for one in waiting] == [made[2].pk, made[3].pk]
    client, page = browser(reviewed.rita), f"/projects/{reviewed.project.slug}/review/"
    shown = client.get(page).content.decode()
    assert "ann answered" in shown and "Response 1 better" in shown and "Accept" in shown
    client.post(f"{page}{waiting[0]['id']}/", {"outcome": "fixed", "value": "both_bad"})
    assert Preference.objects.latest("pk").both_bad
    client.post(f"{page}{waiting[1]['id']}/", {"outcome": "returned", "reason": "Look again"})
    assert "Nothing waits for you" in client.get(page).content.decode()
    listed = client.get(f"{page}all/").content.decode()
    assert "Look again" in listed and listed.count("Fixed</td>") == 2
    Review.objects.all()
    asked = call.post(root, {"annotation": made[0].pk}, format="json")
    assert asked.status_code == 201 and asked.json()["outcome"] == "accepted"
