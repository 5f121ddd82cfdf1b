"""Preference-guided annotation: gold pairs as examples, samples in both orders, then more than half of the critics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai  # noqa: F401  (its import takes longer than a shard of these tests)
import pytest

from curation.errors import Invalid
from curation.models import Annotation, Embedding, Gold, Item, ModelVersion, PairAttributes, Preference, Run
from curation.services import embedding
from curation.services.gold import marking
from tests.answering import Answering, Step, said
from tests.cast import Cast, make_pairs
from tests.judging import done, teach
from tests.test_self_reference import always_the_first, critic, second_answer, shown
from workers import warm
from workers.critics.voting import read_back


@pytest.fixture(autouse=True)
def cold(settings: Any) -> Iterator[None]:
    settings.SHARD_PAUSE_SECONDS = 0.01
    warm.forget()
    yield
    warm.forget()


def target(body: dict[str, Any]) -> str:
    """What stands behind the examples: the pair that is judged."""
    return str(body["messages"][0]["content"].split("</example>")[-1])


def deciding(prefer: Any) -> Any:
    def answer(body: dict[str, Any], n: int) -> Step:
        first, second = shown({"messages": [{"content": target(body)}]})
        return said({"differences": f"{first} against {second}", "verdict": prefer(first, second)})

    return answer


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> ModelVersion:
    """An embedder of prompts: items with numbers that are near are near."""
    numbers: dict[int, float] = {}

    def says(candidate: Any) -> dict[str, Any]:
        number = numbers.setdefault(candidate.key, int(Item.objects.get(pk=candidate.key).external_id.split("-")[1]))
        return {"vector": [1.0, number / 4]}

    teach(monkeypatch, "embedder", says)
    return ModelVersion.objects.create(name="near", kind="embedder", reference="builtin:minilm", state="ready")


def golden(cast: Cast, count: int) -> list[Gold]:
    """Gold pairs in which the second response is right, of alternating categories."""
    made = []
    for number, task in enumerate(make_pairs(cast.project, count)):
        assert task.pair
        Item.objects.filter(pk=task.pair.item_id).update(metadata={"attributes": {"category": f"kind {number}"}})
        right = {"preferences": {"overall": ["second"]}}
        made.append(marking.mark_by_hand(project=cast.project, task_id=task.pk, expected=right, phase="hidden"))
    return made


def guided(cast: Cast, *answers: Any, **params: Any) -> tuple[Run, list[Answering]]:
    there = [Answering(answer).__enter__() for answer in answers]
    names = ["model", "second", "third"]
    models = {name: critic(one, name=f"critic-{n}").pk for n, (name, one) in enumerate(zip(names, there, strict=False))}
    run = done(cast.project, "guided", cast.olga, **models, **params)
    for one in there:
        one.__exit__()
    assert run.state == "succeeded", (run.error, [*run.lines.all()])
    return run, there


def test_the_nearest_gold_pairs_are_shown_with_label_and_attributes(cast: Cast, embedder: ModelVersion) -> None:
    golden(cast, 6)
    (task,) = make_pairs(cast.project, 1)
    run, (there,) = guided(cast, deciding(second_answer), embedder=embedder.pk, examples=3, samples=2)
    content = there.bodies[0]["messages"][0]["content"]
    order = [content.index(f"Question {number}?") for number in (5, 4, 3)]
    assert order == sorted(order) and "Question 2?" not in content and content.count("<example ") == 3
    for part in content.split("<example ")[1:]:
        better = 1 + (part.index("Answer 1") > part.index("Answer 0"))
        assert f"Better: Response {better}" in part and "category: kind" in part
    made = Annotation.objects.get(task=task)
    assert (made.annotator.name, made.version, made.preferences.get().value) == ("critic-0", "v1 guided", 1)
    strip = read_back(made.rationale)
    assert strip and len(strip.votes) == 2 and "against" in strip.more
    assert run.result["examples"] == 3 and Embedding.objects.count() == 7, "vectors are kept"
    assert embedding.of_prompts(embedder, {task.pair.item_id})[task.pair.item_id] == [1.0, 1.5]  # type: ignore[union-attr]


def test_a_gold_pair_of_the_same_prompt_is_never_shown(cast: Cast, embedder: ModelVersion) -> None:
    golden(cast, 2)
    (task,) = make_pairs(cast.project, 1)
    said_of = {"category": "chat", "objectivity": "mixed", "controversiality": "low", "desired": ["brief"]}
    PairAttributes.objects.create(pair=task.pair, guideline="The brief one.", **said_of)
    Item.objects.filter(external_id="item-1").update(prompt_hash=task.pair.item.prompt_hash)  # type: ignore[union-attr]
    _, (there,) = guided(cast, deciding(second_answer), embedder=embedder.pk, samples=2)
    content = there.bodies[0]["messages"][0]["content"]
    assert content.count("<example ") == 1 and "Question 1?" not in content and "Question 0?" in content
    assert "desired: brief\nguideline: The brief one." in target(there.bodies[0])


def test_more_than_half_of_the_critics_decide(cast: Cast) -> None:
    first, second = make_pairs(cast.project, 2)

    def third(one: str, other: str) -> str:
        """Sure of the first pair, and of the second takes what is named first."""
        return second_answer(one, other) if one.endswith("0") else always_the_first(one, other)

    def against(one: str, other: str) -> str:
        return "1" if one.startswith("Answer 0") else "2"

    run, _ = guided(cast, deciding(second_answer), deciding(against), deciding(third), examples=0)
    together = Annotation.objects.filter(annotator__kind="program", annotator__name="guided")
    decided, split = together.get(task=first), together.get(task=second)
    assert decided.preferences.get().value == 1 and decided.version == "of 3"
    strip = read_back(decided.rationale)
    assert strip and [vote for vote, _ in strip.votes] == ["B", "A", "B"]
    assert "critic-1 v1: A, 4 to 0" in strip.more
    assert not split.preferences.exists(), "one for, one against, one unsure"
    assert Preference.objects.filter(annotation__annotator__kind="model").count() == 5
    assert (run.result["preferred"], run.result["unsure"]) == (1, 1)
    told = run.result["models"]
    assert told["critic-0 v1"]["first-position rate"] == 0.5 and told["critic-2 v1"]["flip rate"] == 0.5


def test_gold_that_comes_while_it_runs_is_not_shown(cast: Cast, embedder: ModelVersion) -> None:
    from curation.services.guiding import GuidedParams, gold_examples, plan

    old = golden(cast, 1)[0]
    make_pairs(cast.project, 1)
    pieces = list(plan(Run(project=cast.project), GuidedParams(model=1), None))
    assert {piece.spec["gold"] for piece in pieces} == {old.pk}
    golden(cast, 1)
    assert len(gold_examples(cast.project, "overall", embedder, old.pk).shown) == 1


def test_what_it_needs_is_said_before_it_starts(cast: Cast, embedder: ModelVersion) -> None:
    with Answering(deciding(second_answer)) as there:
        model = critic(there)
        for wrong, field in (({"second": embedder.pk}, "second"), ({"embedder": model.pk}, "embedder")):
            with pytest.raises(Invalid) as told:
                done(cast.project, "guided", cast.olga, model=model.pk, **wrong)
            assert told.value.field == f"params.{field}"
        ModelVersion.objects.filter(pk=embedder.pk).update(retired_at="2026-01-01T00:00Z")
        with pytest.raises(Invalid) as told:
            done(cast.project, "guided", cast.olga, model=model.pk)
    assert "no embedder is ready" in told.value.detail
