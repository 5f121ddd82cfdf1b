"""Overlap that follows disagreement: one more is asked while the label is undecided, and never more than the cap."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from math import prod
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from curation.access import annotator_for
from curation.models import Annotation, Annotator, Progress, Project, Task, User
from curation.services import assigning, projects
from curation.services.desk import desk_of, progress_now
from tests.cast import Cast, make_pairs
from tests.test_assigning import answer, reserve
from tests.test_many_annotators import crew, work
from workers.certainty import likeliest

PEOPLE = ("ann", "bob", "rita", "mia", "olga")


def vote(cast: Cast, name: str, value: int) -> None:
    """An answer in stored order."""
    held = reserve(cast, name)
    answer(cast, held, value if held.order == "ab" else -value)


def task() -> tuple[str, int, int]:
    found = Task.objects.get()
    return found.state, found.overlap, found.done


@pytest.fixture
def adaptive(cast: Cast) -> Cast:
    projects.change_project(project=cast.project, overlap=2, cap=4, certainty=0.9)
    cast.project.refresh_from_db()
    make_pairs(cast.project, 1)
    Task.objects.update(cap=4)
    return cast


def by_hand(votes: list[tuple[str, float]], labels: list[str]) -> float:
    """Bayes' rule, written out."""
    each = [prod(a if said == true else (1 - a) / (len(labels) - 1) for said, a in votes) for true in labels]
    return max(each) / sum(each)


def test_the_posterior_is_bayes_rule() -> None:
    labels = ["a", "b", "c"]
    for said in product(labels, repeat=3):
        votes = list(zip(said, (0.9, 0.75, 0.6), strict=True))
        assert likeliest(votes, 3) == pytest.approx(by_hand(votes, labels), abs=1e-12)
    assert likeliest([], 4) == pytest.approx(0.25) and likeliest([("a", None)], 2) == pytest.approx(0.75)
    assert likeliest([("a", 0.1)], 2) == pytest.approx(0.5)  # who errs more than a guess says nothing


def test_two_who_agree_are_enough(adaptive: Cast) -> None:
    vote(adaptive, "ann", 1)
    assert task() == ("open", 2, 1)
    vote(adaptive, "bob", 1)
    assert task() == ("complete", 2, 2) and reserve(adaptive, "rita") is None


def test_two_who_differ_ask_a_third_and_the_cap_ends_it(adaptive: Cast) -> None:
    for number, (name, value) in enumerate(zip(PEOPLE, (1, -1, 0, 2), strict=False), 1):
        vote(adaptive, name, value)
        assert task() == (("complete", 4, 4) if number == 4 else ("open", max(2, min(number + 1, 4)), number))
    assert reserve(adaptive, "olga") is None
    for name in PEOPLE[:4]:
        assert progress_now(annotator_for(adaptive.people[name], adaptive.project).pk).left == 0


def test_who_is_known_to_be_reliable_weighs_more(adaptive: Cast) -> None:
    for name in ("ann", "bob", "rita"):
        annotator_for(adaptive.people[name], adaptive.project)
    Annotator.objects.filter(user=adaptive.ann).update(reliability=0.97)
    Annotator.objects.filter(user=adaptive.bob).update(reliability=0.4)
    vote(adaptive, "ann", 1)
    vote(adaptive, "bob", -1)
    assert task() == ("complete", 2, 2)


def test_an_undo_asks_anew(adaptive: Cast) -> None:
    from curation.services import annotating
    from curation.services.annotating import Commit

    vote(adaptive, "ann", 1)
    vote(adaptive, "bob", 1)
    bob = annotator_for(adaptive.bob, adaptive.project)
    last = Annotation.objects.latest("pk")
    annotating.undo(desk=desk_of(adaptive.project, bob), annotation_id=last.pk, commit=Commit("u"))
    assert task() == ("open", 2, 1)


def test_without_a_cap_nothing_is_looked_up(cast: Cast) -> None:
    make_pairs(cast.project, 2)

    def statements() -> int:
        held = reserve(cast, "ann")
        with CaptureQueriesContext(connection) as seen:
            answer(cast, held)
        return len(seen)

    before = statements()
    Task.objects.filter(state="open").update(cap=1)
    assert statements() == before


@pytest.mark.django_db(transaction=True)
def test_at_the_same_time_nobody_is_asked_too_much(live_server: Any) -> None:
    people = 12 if connection.vendor == "postgresql" else 6
    project, tokens = crew(people, overlap=2, cap=4)
    make_pairs(project, 30)
    Task.objects.update(cap=4)
    with ThreadPoolExecutor(people) as pool:
        given = [t for ids in pool.map(lambda token: work(live_server.url, token, 60), tokens) for t in ids]
    while more := [t for token in tokens for t in work(live_server.url, token, 60)]:
        given += more  # a last answer may ask for one more of a task when everybody else has gone
    for one in Task.objects.all():
        assert one.state == "complete" and 2 <= one.done == one.taken == one.overlap <= 4
    assert len(given) == sum(Task.objects.values_list("done", flat=True)) == Annotation.objects.answers().count()
    assert Task.objects.filter(overlap__gt=2).exists()
    assert sum(Progress.objects.values_list("closed", flat=True)) == 30
    assert {progress_now(row.annotator_id).left for row in Progress.objects.all()} == {0}
    assert assigning.return_expired(project_id=project.pk) == 0
    assert User.objects.count() == people and Project.objects.get().task_count == 30
