"""What curators see of a project: scores, vectors, shares of answers, rankings and responses that stand alone."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from curation.models import Embedding, Item, ModelVersion, Pair, Proposal, Response, Score, Source, Task, TaskKind
from curation.services import running
from curation.services.answering import Answer
from curation.services.curating import deciding
from curation.services.curating.deciding import Wanted
from tests.cast import Cast, make_pairs
from tests.critics import ask, item, land, say
from tests.curations import curated, started
from tests.test_decide import answered, fit, prefer
from tests.test_freezing import frozen, lines
from tests.test_rebuilding import checked
from workers.curating import Aid, Curator, Row, Settings, curators
from workers.curating import Proposal as Proposed


def seen(cast: Cast, monkeypatch: pytest.MonkeyPatch, **more: Any) -> list[Row]:
    """The rows that a curator is given."""
    rows: list[Row] = []
    params = more.pop("params", {})

    def propose(given: Any, settings: Settings, aid: Aid) -> Any:
        rows.extend(given)
        yield from [Proposed(rows[0].subject, "drop", 1.0, "x", "y")] if rows else []

    curators.get("agreement")
    monkeypatch.setitem(curators._methods, "looking", Curator("looking", "Looking", "", propose, **more))
    curated(cast, "looking", **params)
    return rows


def test_rows_have_what_is_decided_and_what_is_needed(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, _ = make_pairs(cast.project, 3)
    prefer(cast.project, "ann", first, -1)
    prefer(cast.project, "bob", first, -3)
    prefer(cast.project, "cid", first, 2)
    prefer(cast.project, "ann", second, 0)
    source = Source.objects.create(project=cast.project, name="web")
    Item.objects.filter(pk=first.pair.item_id).update(source=source, metadata={"topic": "code"})
    Response.objects.filter(pk=first.pair.first_id).update(metadata={"n": 1})
    one, other = seen(cast, monkeypatch, needs=frozenset({"metadata"}))
    assert (one.outcome, one.strength, one.votes, one.how, one.task) == ("first", 2.0, 3, "majority", first.pk)
    assert one.confidence == one.agreement == pytest.approx(2 / 3)
    assert (one.source, one.metadata, one.first.metadata) == ("web", {"topic": "code"}, {"n": 1})
    assert (one.chosen.text, one.rejected.text, one.chosen.model) == ("Answer 0 to 0", "Answer 1 to 0", "m0")
    assert (one.name, one.pair, one.prompt[0]["content"]) == ("item-0", first.pair_id, "Question 0?")
    assert (other.outcome, other.labelled, other.source) == ("tie", False, "")
    everything = seen(cast, monkeypatch, of="any")
    assert [row.outcome for row in everything] == ["first", "tie", ""] and everything[2].task is None


def test_a_fit_decides_and_the_share_of_the_answers_is_there_beside_it(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(cast, 12)
    run = fit(cast.project)
    rows = seen(cast, monkeypatch, needs=frozenset({"agreement"}), params={"decided_by": str(run.pk)})
    assert len(rows) == 12 and {row.how.split("@")[0] for row in rows} == {"dawid_skene"}
    assert all(row.agreement in (0.6, 0.8, 1.0) for row in rows)
    assert {row.agreement for row in rows} != {row.confidence for row in rows}
    without = seen(cast, monkeypatch, params={"decided_by": str(run.pk)})
    assert {row.agreement for row in without} == {None}


def test_margins_of_a_model_are_read_as_they_were_when_the_run_began(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 3)
    model = ModelVersion.objects.create(name="judge", kind="reward", reference="program:length", state="ready")
    for task, scores in zip(tasks, ((2.0, 0.5), (0.0, 3.0), (1.0, None)), strict=True):
        prefer(cast.project, "ann", task, -1)
        for response, value in zip((task.pair.first_id, task.pair.second_id), scores, strict=True):
            if value is not None:
                Score.objects.create(model=model, response_id=response, value=value)
                Score.objects.create(model=model, response_id=response, value=-value, head="other")
    settings = {"model": model.pk, "flip_below": -2.0}
    run = curated(cast, "margin", settings=settings)
    assert [(one.pair_id, one.action, one.score) for one in Proposal.objects.filter(run=run)] == [
        (tasks[1].pair_id, "flip", 3.0)
    ]
    other = curated(cast, "margin", settings={**settings, "head": "other"})
    assert list(Proposal.objects.filter(run=other).values_list("action", "score")) == [("ask", 1.5)]


def test_wrong_labels_are_found_by_vectors_and_a_version_flips_them(cast: Cast) -> None:
    chance = np.random.default_rng(8)
    embedder = ModelVersion.objects.create(name="e", kind="embedder", reference="builtin:minilm", state="ready")
    direction, wrong = chance.normal(size=4), set()
    for number, task in enumerate(make_pairs(cast.project, 80)):
        vectors = chance.normal(size=(2, 4))
        better = -1 if (vectors[0] - vectors[1]) @ direction > 0 else 1
        if number % 10 == 0 and abs((vectors[0] - vectors[1]) @ direction) > 1:
            wrong.add(task.pair_id)
            better = -better
        prefer(cast.project, "ann", task, better)
        for response, vector in zip((task.pair.first_id, task.pair.second_id), vectors, strict=True):
            packed = struct.pack("<4e", *vector)
            Embedding.objects.create(model=embedder, item=task.pair.item, response_id=response, vector=packed)
    run = curated(cast, "confident-learning", settings={"embedder": embedder.pk, "flip_below": 0.4}, accept=True)
    flips = set(Proposal.objects.filter(run=run, action="flip").values_list("pair_id", flat=True))
    assert len(wrong) == 8 and len(flips & wrong) >= 7 and len(flips - wrong) < 8
    version = frozen(cast, filters={"curated": [str(run.pk)]})
    assert {row["pair"] for row in lines(version, "lineage") if row["flipped"]} == flips
    few = started(cast, "confident-learning", settings={"embedder": embedder.pk})
    Embedding.objects.filter(pk__gt=Embedding.objects.order_by("pk")[40].pk).delete()
    running.execute(str(few.pk))
    few.refresh_from_db()
    assert few.state == "failed" and "labelled pairs have vectors" in few.error


def test_pairs_of_a_ranking_are_flipped_by_their_responses(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(cast.project, TaskKind.RANKING)
    land(cast.project, item("q", "A", "B", "C"))
    say(cast, "ann", Answer(ranks=(1, 2, 3)))

    def propose(rows: Any, settings: Settings, aid: Aid) -> Any:
        for row, action in zip(rows, ("flip", "drop", "ask"), strict=True):
            yield Proposed(row.subject, action, 1.0, "x", "y")

    curators.get("agreement")
    monkeypatch.setitem(curators._methods, "ranked", Curator("ranked", "Ranked", "", propose))
    run = curated(cast, "ranked")
    assert set(Proposal.objects.filter(run=run).values_list("pair_id", flat=True)) == {None}
    task = Task.objects.get()
    assert (task.state, task.overlap) == ("complete", 1)
    deciding.accept(run, Wanted(), user=cast.people["olga"])
    task.refresh_from_db()
    assert (task.state, task.overlap) == ("open", 2)
    version = frozen(cast, filters={"curated": [str(run.pk)]})
    said = [(row["chosen"][-1]["content"], row["rejected"][-1]["content"]) for row in lines(version, "train")]
    assert said == [("B", "A"), ("B", "C")] and version.counts["dropped"] == {"curated: y": 1}
    assert checked(cast, version)["same"] is True


def test_responses_that_stand_alone_are_rows_too(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(cast.project, TaskKind.RESPONSE)
    land(cast.project, item("q", "A", "B"))
    for _ in range(2):
        say(cast, "ann", Answer())
    rows = seen(cast, monkeypatch, of="any", needs=frozenset({"metadata"}))
    assert [(row.first.text, row.second, row.labelled) for row in rows] == [("A", None, False), ("B", None, False)]
    kept = Proposal.objects.get()
    assert (kept.subject, kept.pair_id, kept.chosen_id) == (f"response:{rows[0].first.id}", None, None)
    assert kept.response_id == rows[0].first.id
    deciding.accept(kept.run, Wanted(), user=cast.people["olga"])
    version = frozen(cast, target="annotations", filters={"curated": [str(kept.run_id)]})
    assert version.counts["dropped"] == {"curated: y": 1} and Pair.objects.count() == 0
