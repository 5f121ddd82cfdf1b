"""Gold of what is decided holds what is clear on a task: marked text and answers on sentences and steps too."""

from __future__ import annotations

from typing import Any

import pytest

from curation.errors import Invalid
from curation.models import Gold, Task, TaskKind
from curation.services.answering import Answer
from curation.services.gold import marking, pooling, rules
from tests.cast import Cast
from tests.conftest import calling
from tests.critics import STEP, ask, item, land, poor, responses, say, yes
from tests.test_people import browser

TEXT = "One.\n\nTwo.\n\nThree."
SKY = "The sky is green. It is."


def steps(*answers: int) -> Answer:
    """Of the steps in their order; behind the first wrong one nothing is asked."""
    given = zip(answers, ((0, 4), (6, 10), (12, 18)), strict=False)
    return Answer(verdicts=[yes("step", answer=answer, start=a, end=b) for answer, (a, b) in given])


def test_steps_that_people_judged_alike_are_expected(cast: Cast) -> None:
    cast.project.overlap = 3
    responses(cast, item("a", TEXT), unit="step", questions=[STEP], critiques={"on": False})
    for name, others in (("ann", (-1,)), ("bob", (-1,)), ("rita", (1, 1))):
        say(cast, name, steps(1, *others))
    [gold] = pooling.make_from_decisions(project=cast.project, by=cast.mia)
    response = gold.task.response_id
    told = [(one["start"], one["end"], one["answer"]) for one in gold.expected["verdicts"]]
    assert told == [(0, 4, 1)], "on the second step two of three agree, which is too few"
    assert {one["response"] for one in gold.expected["verdicts"]} == {response}
    marking.retire(golds=Gold.objects.all())
    [gold] = pooling.make_from_decisions(project=cast.project, min_confidence=0.6)
    assert [(one["start"], one["answer"]) for one in gold.expected["verdicts"]] == [(0, 1), (6, -1)]
    assert gold.made_from == "decision"


def marks(*places: tuple[int, int], **more: Any) -> Answer:
    return Answer([poor(a, b, **more) for a, b in places])


@pytest.fixture
def marked(cast: Cast) -> Task:
    """A response of which three people mark about the same words."""
    cast.project.overlap = 3
    responses(cast, item("q", SKY), questions=[])
    for name, place in (("ann", (11, 16)), ("bob", (11, 16)), ("rita", (8, 16))):
        say(cast, name, marks(place))
    return Task.objects.get()


def test_text_that_people_marked_alike_is_expected(cast: Cast, marked: Task) -> None:
    [gold] = pooling.make_from_decisions(project=cast.project)
    [span] = gold.expected["critiques"]
    assert (span["start"], span["end"], span["quote"], span["type"]) == (11, 16, "green", "wrong")
    assert (span["severity"], span["polarity"], span["message"]) == ("minor", -1, 0)
    assert span["response"] == marked.response_id and set(gold.expected) == {"critiques"}
    page = browser(cast.mia).get(f"/projects/{cast.project.slug}/gold/{gold.pk}/").content.decode()
    assert "green" in page
    assert not pooling.make_from_decisions(project=cast.project), "it is gold already"


def test_marks_that_would_not_pass_as_gold_are_not_expected(cast: Cast, marked: Task) -> None:
    rules.change_rules(project=cast.project, changes={"spans": 90})
    cast.project.refresh_from_db()
    assert not pooling.make_from_decisions(project=cast.project), "one of three would be wrong by the vote"
    assert len(pooling.make_from_decisions(project=cast.project, min_confidence=0.66)) == 1


def test_who_marks_nothing_is_heard(cast: Cast) -> None:
    cast.project.overlap = 3
    responses(cast, item("q", SKY), item("p", SKY), questions=[])
    for name in ("ann", "bob", "rita"):
        say(cast, name, marks((11, 16)) if name == "ann" else Answer())
    for name in ("ann", "bob", "rita"):
        say(cast, name, Answer())
    assert not pooling.make_from_decisions(project=cast.project, min_confidence=0.51)
    assert not Gold.objects.exists(), "that nobody marked anything is no gold"


def test_parts_are_chosen_over_the_api_and_on_the_page(cast: Cast) -> None:
    cast.project.overlap = 3
    ask(cast.project, TaskKind.PREFERENCE)
    land(cast.project, item("q", SKY, "The sea is blue."), item("r", SKY, "The sea is blue."))
    for _ in range(2):
        for name in ("ann", "bob", "rita"):
            say(cast, name, Answer([poor(11, 16)], [yes(), yes(response=1)]), overall=1)
    api = calling(cast.mia)
    address = f"/api/v1/projects/{cast.project.slug}/gold/pool"
    refused = api.post(address, {"parts": ["length"]}, format="json", headers={"idempotency-key": "a"})
    assert refused.status_code == 400
    made = api.post(address, {"parts": ["critiques"], "most": 1}, format="json", headers={"idempotency-key": "b"})
    gold = Gold.objects.get(pk=made.json()["made"][0])
    assert set(gold.expected) == {"critiques"}
    page = browser(cast.mia).get(f"/projects/{cast.project.slug}/gold/").content.decode()
    assert 'name="pool-parts" value="critiques"' in page and 'value="ranks"' not in page
    form = {"most": 5, "min_votes": 3, "min_confidence": 80, "phase": "hidden", "parts": ["preferences", "verdicts"]}
    sent = {f"pool-{name}": value for name, value in form.items()}
    assert browser(cast.mia).post(f"/projects/{cast.project.slug}/gold/pool/", sent).status_code == 302
    assert set(Gold.objects.exclude(pk=gold.pk).get().expected) == {"preferences", "verdicts"}
    with pytest.raises(Invalid):
        pooling.make_from_decisions(project=cast.project, parts=[])


def test_one_task_made_gold_of_what_is_decided_holds_its_marks_too(cast: Cast, marked: Task) -> None:
    gold = marking.mark_decided(project=cast.project, task_id=marked.pk)
    assert [(one["start"], one["end"]) for one in gold.expected["critiques"]] == [(11, 16)]
