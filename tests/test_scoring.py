"""Scores: one for every response, the same whatever the shards, in memory and statements that do not grow."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from curation.models import Embedding, Item, Response, Run, Score, ScoreMap
from curation.services import candidates, maps, scoring
from tests.cast import Cast, make_pairs, make_project
from tests.judging import done, model, teach
from workers.judging import Mapped


def said() -> list[tuple[int, str, float]]:
    return list(Score.objects.order_by("response_id", "head").values_list("response_id", "head", "value"))


def test_every_response_gets_its_score(cast: Cast) -> None:
    make_pairs(cast.project, 5)
    run = done(cast.project, "score", model=model().pk)
    assert (run.state, run.result["scored"], run.done, run.total) == ("succeeded", 10, 5, 5)
    texts = Response.objects.order_by("pk").values_list("pk", "text")
    assert said() == [(pk, "", float(len(text.split()))) for pk, text in texts]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_scores_do_not_depend_on_the_size_of_shards(cast: Cast, size: int) -> None:
    make_pairs(cast.project, 7)
    Response.objects.filter(position=1).update(text="rather more words than the other one")
    done(cast.project, "score", model=model().pk, items_per_shard=size)
    assert [value for _, _, value in said()] == [4.0, 7.0] * 7


def test_what_has_a_score_is_left_out_and_the_model_not_even_opened(cast: Cast, monkeypatch: Any) -> None:
    make_pairs(cast.project, 3)
    length = model()
    done(cast.project, "score", model=length.pk)
    before = said()
    make_pairs(cast.project, 1)
    fake = teach(monkeypatch, "program", lambda candidate: {"scores": {"": -1.0}})
    run = done(cast.project, "score", model=length.pk)
    assert (run.result["scored"], len(fake.seen)) == (2, 1)
    assert said()[:6] == before and said()[6:] == [(pk, "", -1.0) for pk, _, _ in said()[6:]]
    monkeypatch.setattr(scoring, "opened", lambda model: pytest.fail("nothing is left to score"))
    assert done(cast.project, "score", model=length.pk).state == "succeeded"


def test_only_this_project_and_what_is_not_deleted_is_scored(cast: Cast) -> None:
    other = make_project("other")
    make_pairs(other, 2)
    make_pairs(cast.project, 2)
    gone = Response.objects.filter(item__project=cast.project).first()
    assert gone is not None
    Response.objects.filter(pk=gone.pk).update(deleted_at="2026-01-01T00:00:00Z")
    done(cast.project, "score", model=model().pk)
    assert Score.objects.count() == 3
    assert not Score.objects.filter(response__item__project=other).exists()


def test_heads_maps_and_spreads_are_kept(cast: Cast, monkeypatch: Any) -> None:
    make_pairs(cast.project, 1)
    mapped = Mapped("step", [(0, 4), (4, 9)], [0.25, -1.5])
    teach(
        monkeypatch,
        "step",
        lambda candidate: {"scores": {"a": 1.0, "b": 2.0}, "spread": 0.5, "maps": [mapped], "tokens": 7},
    )
    run = done(cast.project, "score", model=model("judge", kind="step", reference="hf:x").pk)
    assert (run.state, run.tokens) == ("succeeded", 14)
    assert Score.objects.filter(spread=0.5, tokens=7).count() == 4
    assert [maps.unpack(row) for row in ScoreMap.objects.all()] == [([(0, 4), (4, 9)], [0.25, -1.5])] * 2


def test_a_judge_that_speaks_of_places_alone_is_not_asked_twice(cast: Cast, monkeypatch: Any) -> None:
    make_pairs(cast.project, 1)
    fake = teach(monkeypatch, "step", lambda candidate: {"maps": [Mapped("step", [(0, 2), (2, 4)], [1.0, 0.0])]})
    judge = model("judge", kind="step", reference="hf:x")
    done(cast.project, "score", model=judge.pk)
    done(cast.project, "score", model=judge.pk)
    assert (len(fake.seen), [value for _, _, value in said()]) == (1, [0.5, 0.5])


def test_what_was_cut_off_is_counted_and_named(cast: Cast, monkeypatch: Any) -> None:
    make_pairs(cast.project, 3)
    teach(
        monkeypatch,
        "program",
        lambda candidate: {"scores": {"": 0.0}, "truncated": candidate.text.startswith("Answer 1")},
    )
    run = done(cast.project, "score", model=model().pk, items_per_shard=1)
    assert run.result["truncated"] == 3
    assert run.result["cut off"] == ["item-0 #2", "item-1 #2", "item-2 #2"]
    assert Score.objects.filter(truncated=True).count() == 3


def test_responses_are_cut_as_the_protocol_cuts_them(cast: Cast, monkeypatch: Any) -> None:
    make_pairs(cast.project, 1)
    Response.objects.update(text="One thing. Another thing.")
    cast.project.protocol.unit = "sentence"
    cast.project.protocol.save()
    fake = teach(monkeypatch, "step", lambda candidate: {"scores": {"": 0.0}})
    done(cast.project, "score", model=model("judge", kind="step", reference="hf:x").pk)
    units = fake.seen[0].candidates[0].units
    assert ["One thing. Another thing."[start:end].strip() for start, end in units] == ["One thing.", "Another thing."]


def test_a_shard_takes_as_many_statements_whatever_the_pool(cast: Cast, monkeypatch: Any) -> None:
    def statements(items: int) -> int:
        make_pairs(cast.project, items)
        rows = Item.objects.filter(project=cast.project)
        first = rows.order_by("pk").values_list("pk", flat=True)[0]
        with CaptureQueriesContext(connection) as found:
            given = candidates.given(
                candidates.in_range(rows, {"from": first, "to": first + 1}), candidates.unscored(length)
            )
            assert len(list(given)) == 2
        return len(found)

    length = model()
    assert statements(2) == statements(40) == 3


def test_embeddings_are_of_responses_or_of_prompts(cast: Cast, monkeypatch: Any) -> None:
    make_pairs(cast.project, 2)
    teach(monkeypatch, "embedder", lambda candidate: {"vector": [1.0, -0.5], "truncated": not candidate.text})
    embedder = model("minilm", kind="embedder", reference="builtin:minilm")
    for what, count in (("responses", 4), ("prompts", 2), ("prompts", 0)):
        run = done(cast.project, "embed", model=embedder.pk, what=what)
        assert (run.state, run.result["embedded"]) == ("succeeded", count), run.error
    assert Embedding.objects.filter(response=None).count() == 2
    assert {bytes(row.vector) for row in Embedding.objects.all()} == {b"\x00\x3c\x00\xb8"}
    assert set(Embedding.objects.filter(response=None).values_list("item_id", flat=True)) == set(
        Item.objects.values_list("pk", flat=True)
    )


def test_shards_for_a_gpu_are_larger(cast: Cast) -> None:
    assert scoring.shard_size(Run(queue="gpu"), None) > scoring.shard_size(Run(queue="cpu"), None)
    assert scoring.shard_size(Run(queue="gpu"), 7) == 7


@pytest.mark.training
@pytest.mark.django_db(transaction=True)
def test_the_encoder_that_every_installation_has_embeds_prompts_and_responses(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    embedder = model("minilm", kind="embedder", reference="builtin:minilm")
    for what, count in (("responses", 4), ("prompts", 2)):
        run = done(cast.project, "embed", model=embedder.pk, what=what)
        assert (run.state, run.result["embedded"], run.done) == ("succeeded", count, 2), run.error
    for row in Embedding.objects.all():
        vector = [value for (value,) in struct.iter_unpack("<e", bytes(row.vector))]
        assert len(vector) == 384 and sum(value * value for value in vector) == pytest.approx(1, abs=0.01)
