"""What a version holds is asked for in its filters: whose answers, of which items, how many; the rest is counted."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from curation.errors import Invalid
from curation.models import DatasetVersion, Item, ModelVersion, Response, Score, Source, TaskKind
from curation.services import freezing
from curation.services.answering import Answer
from curation.services.filtering import Condition, Filters, filters_from, kept
from curation.services.freezing.narrowing import holds
from tests.cast import Cast, make_pairs, make_project
from tests.critics import SAFE, ask, item, land, poor, say, yes
from tests.test_freezing import answer_all, frozen, lines
from tests.test_rebuilding import checked
from workers.writers import targets


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


def items_of(version: DatasetVersion) -> list[str]:
    return [row["item"] for row in lines(version, "lineage")]


def answered(cast: Cast, count: int = 4) -> list[Item]:
    """Items of which ann prefers the first response; two of each three are of a source, with metadata."""
    make_pairs(cast.project, count)
    source = Source.objects.create(project=cast.project, name="web 🌐")
    for number, one in enumerate(Item.objects.order_by("pk")):
        one.metadata = {"topic": ["maths", "code"][number % 2], "level": {"n": number}, "tags": ["a", 1]}
        one.source = None if number % 3 == 2 else source
        one.save()
    answer_all(cast, "ann", *[-1] * count)
    return list(Item.objects.order_by("pk"))


# --- Whose answers ------------------------------------------------------------------------------------


def test_raw_labels_are_a_row_for_each_annotator(cast: Cast) -> None:
    cast.project.overlap = 2
    make_pairs(cast.project, 3)
    answer_all(cast, "ann", -1, 2, 0)
    answer_all(cast, "bob", 1, 2, -1)
    assert items_of(frozen(cast)) == ["item-1", "item-2"] or frozen(cast).counts["dropped"]["no majority"]
    raw = frozen(cast, filters={"labels": "raw"})
    trace = lines(raw, "lineage")
    assert [row["item"] for row in trace] == ["item-0", "item-0", "item-1", "item-1", "item-2"]
    assert {row["how"] for row in trace} == {"raw"} and all(len(row["annotations"]) == 1 for row in trace)
    assert [row["confidence"] for row in trace] == [0.5, 0.5, 1, 1, 0.5] and {row["votes"] for row in trace} == {2}
    assert trace[0]["chosen"] == trace[1]["rejected"] and raw.counts["dropped"] == {"tie": 1}
    assert raw.filters["labels"] == "raw" and all(check["ok"] is not False for check in raw.checks)
    agreed = frozen(cast, filters={"labels": "raw", "min_confidence": 0.6})
    assert items_of(agreed) == ["item-1", "item-1"] and agreed.counts["dropped"]["below the confidence"] == 3


def test_annotators_by_name(cast: Cast) -> None:
    cast.project.overlap = 2
    make_pairs(cast.project, 2)
    answer_all(cast, "ann", -1, -1)
    answer_all(cast, "bob", 2)
    assert frozen(cast).counts["dropped"] == {"no majority": 1}
    assert items_of(frozen(cast, filters={"names": ["@ann"]})) == ["item-0", "item-1"]
    assert items_of(frozen(cast, filters={"not_names": ["@ann"]})) == ["item-0"]
    nobody = frozen(cast, filters={"names": ["'; DROP TABLE x --", "مريم"]})
    assert nobody.counts["total"] == 0 and nobody.counts["dropped"] == {"not answered": 2}
    assert nobody.facts["annotators"] == {}


def test_answers_of_a_time(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    answer_all(cast, "ann", -1)
    between = timezone.now()
    answer_all(cast, "ann", -1)
    assert items_of(frozen(cast, filters={"until": between.isoformat()})) == ["item-0"]
    later = frozen(cast, filters={"since": between.isoformat()})
    assert items_of(later) == ["item-1"] and later.facts["annotators"]["person"]["answers"] == 1
    assert DatasetVersion.objects.get(pk=later.pk).filters["since"].endswith("Z")


@pytest.mark.parametrize("target", ["annotations", "trl-sft", "rewardbench"])
def test_the_same_holds_for_every_source(cast: Cast, target: str) -> None:
    answered(cast)
    where = [{"field": "item.metadata.topic", "op": "eq", "value": "code"}]
    assert items_of(frozen(cast, target=target, filters={"where": where})) == ["item-1", "item-3"]
    assert items_of(frozen(cast, target=target, filters={"names": ["@bob"]})) == []


def test_raw_rankings_are_a_row_for_each_two_responses_of_each_annotator(cast: Cast) -> None:
    cast.project.overlap = 2
    ask(cast.project, TaskKind.RANKING)
    land(cast.project, item("q", "A", "B", "C"), item("silent", "A", "B"))
    for name, ranks in (("ann", (1, 2, 3)), ("bob", (1, 3, 2))):
        say(cast, name, Answer(ranks=ranks))
    version = frozen(cast, filters={"labels": "raw"})
    said = [(row["chosen"][-1]["content"], row["rejected"][-1]["content"]) for row in lines(version, "train")]
    assert said == [("A", "B"), ("A", "B"), ("A", "C"), ("A", "C"), ("B", "C"), ("C", "B")]
    assert version.counts["dropped"] == {"not answered": 1}
    assert frozen(cast, filters={"names": ["@bob"]}).counts["total"] == 3


def test_critiques_are_selected_by_their_responses_and_annotators(cast: Cast) -> None:
    cast.project.overlap = 2
    ask(cast.project, TaskKind.RESPONSE)
    land(cast.project, item("short", "Sky."), item("long", "The sky is blue. 🌈"), source="ours")
    for name in ("ann", "bob"):
        for _ in range(2):
            say(cast, name, Answer([poor(0, 3)]))
    judge = model("judge", cast)
    Score.objects.create(model=judge, response=Response.objects.get(text="Sky."), value=3.0)
    for target, rows in (("w3c", 2), ("label-studio", 1), ("touchstone", 1)):
        chars = [{"field": "response.chars", "op": "gt", "value": 10}]
        assert set(items_of(frozen(cast, target=target, filters={"where": chars}))) == {"long"}
        scored = frozen(cast, target=target, filters={"scores": [{"model": "judge", "min": 2}]})
        assert set(items_of(scored)) == {"short"} and scored.counts["total"] == rows
        assert scored.counts["dropped"] == {"no score": rows}
        ours = frozen(cast, target=target, filters={"names": ["@bob"], "balance": {"by": "item.source"}})
        assert ours.counts["total"] == 2 and {row["annotator"] for row in lines(ours, "lineage")} == {"@bob"}


def test_compared_pairs_are_selected_too(cast: Cast) -> None:
    axes = [{"name": name, "question": "Better?"} for name in ("helpfulness", "harmlessness")]
    ask(cast.project, TaskKind.PREFERENCE, axes=axes, questions=SAFE)
    land(cast.project, item("q", "Do it.", "Do not."), item("r", "Go on.", "Stop."))
    for _ in range(2):
        verdicts = [yes("safe", answer=True, response=n) for n in (0, 1)]
        say(cast, "ann", Answer(verdicts=verdicts), helpfulness=-1, harmlessness=1)
    where = [{"field": "item.external_id", "op": "eq", "value": "r"}]
    version = frozen(cast, target="pku-saferlhf", filters={"where": where})
    assert items_of(version) == ["r"] and version.counts["dropped"] == {"not item.external_id eq what is asked": 1}
    assert frozen(cast, target="pku-saferlhf", filters={"caps": {"rows": 1}}).counts["total"] == 1
    nobody = frozen(cast, target="pku-saferlhf", filters={"not_names": ["@ann"]})
    assert nobody.counts["dropped"] == {"not answered": 2}


# --- Of which items -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "op", "value", "found"),
    [
        ("item.external_id", "in", ["item-0", "item-3", "x"], [0, 3]),
        ("item.source", "eq", "web 🌐", [0, 1, 3]),
        ("item.source", "exists", False, [2]),
        ("item.source", "ne", "web 🌐", [2]),
        ("item.metadata.topic", "contains", "COD", [1, 3]),
        ("item.metadata.level.n", "ge", 2, [2, 3]),
        ("item.metadata.level.n", "lt", "2", []),
        ("item.metadata.level.n", "eq", True, []),
        ("item.metadata.tags", "contains", 1, [0, 1, 2, 3]),
        ("item.metadata.tags.1", "eq", 1.0, [0, 1, 2, 3]),
        ("item.metadata.none", "exists", True, []),
        ("item.created_at", "gt", "2000-01-01", [0, 1, 2, 3]),
        ("item.created_at", "lt", "2000-01-01T00:00:00+14:00", []),
        ("prompt.text", "contains", "question 2", [2]),
        ("prompt.chars", "gt", 11, []),
        ("prompt.turns", "eq", 1, [0, 1, 2, 3]),
        ("response.model", "eq", "m1", [0, 1, 2, 3]),
        ("response.model", "ne", "m1", []),
        ("chosen.model", "eq", "m1", []),
        ("rejected.model", "not_in", ["m0"], [0, 1, 2, 3]),
        ("rejected.chars", "le", 13, [0, 1, 2, 3]),
        ("response.metadata.seed", "exists", True, [3]),
    ],
)
def test_conditions(cast: Cast, field: str, op: str, value: Any, found: list[int]) -> None:
    items = answered(cast)
    Response.objects.filter(item=items[3], position=1).update(metadata={"seed": 7})
    version = frozen(cast, filters={"where": [{"field": field, "op": op, "value": value}]})
    assert items_of(version) == [f"item-{number}" for number in found]
    left = 4 - len(found)
    assert version.counts["dropped"] == ({f"not {field} {op} what is asked": left} if left else {})


def test_a_negation_is_the_opposite_for_several_responses() -> None:
    for op, opposite, value in (("eq", "ne", "a"), ("in", "not_in", ["a", "c"])):
        for values in ([], ["a"], ["b"], ["a", "b"], [None], [True, 1]):
            one = Condition(field="response.model", op=op, value=value)
            assert holds(one, values) != holds(one.model_copy(update={"op": opposite}), values)


def model(name: str, cast: Cast, number: int = 1) -> ModelVersion:
    return ModelVersion.objects.create(name=name, number=number, kind="reward", reference="hf:x", project=cast.project)


def test_ranges_of_scores(cast: Cast) -> None:
    items = answered(cast)
    reward = model("judge", cast)
    for number, one in enumerate(items[:3]):
        for response in one.responses.all():
            value = float(number) if response.position == 0 else 1.0
            Score.objects.create(model=reward, response=response, value=value)
    wanted = {"model": "judge", "of": "margin", "min": 0}
    version = frozen(cast, filters={"scores": [wanted]})
    assert items_of(version) == ["item-1", "item-2"] and version.filters["scores"][0]["model"] == reward.pk
    assert version.counts["dropped"] == {"outside the range of scores": 1, "no score": 1}
    assert items_of(frozen(cast, filters={"scores": [wanted | {"of": "chosen", "min": 2}]})) == ["item-2"]
    assert items_of(frozen(cast, filters={"scores": [wanted | {"of": "rejected", "max": 1}]})) == items_of(
        frozen(cast, filters={"scores": [wanted | {"of": "any"}]})
    )
    assert not items_of(frozen(cast, filters={"scores": [wanted | {"head": "other"}]}))


# --- How many -----------------------------------------------------------------------------------------


def test_caps_take_exactly_so_many_and_the_seed_says_which(cast: Cast) -> None:
    items = answered(cast, 12)
    Item.objects.filter(pk__in=[item.pk for item in items[:8]]).update(prompt_hash="same")
    capped = frozen(cast, filters={"caps": {"rows": 5}})
    assert capped.counts["total"] == 5 and capped.counts["dropped"] == {"over the cap": 7}
    assert frozen(cast, filters={"caps": {"rows": 5}}).hash == capped.hash
    assert {tuple(items_of(frozen(cast, seed=n, filters={"caps": {"rows": 5}}))) for n in range(3)} != {
        tuple(items_of(capped))
    }
    both = frozen(cast, filters={"caps": {"per_prompt": 2, "rows": 5}})
    hashes = Counter(Item.objects.get(external_id=name).prompt_hash for name in items_of(both))
    assert both.counts["total"] == 5 and hashes["same"] <= 2
    assert both.counts["dropped"] == {"over the cap of its prompt": 6, "over the cap": 1}
    assert frozen(cast, filters={"caps": {"rows": 50}}).counts["total"] == 12


def test_balance_by_a_field(cast: Cast) -> None:
    answered(cast, 12)
    version = frozen(cast, filters={"balance": {"by": "item.source"}})
    sources = Counter(Item.objects.get(external_id=name).source_id is None for name in items_of(version))
    assert sources == {True: 4, False: 4} and version.counts["dropped"] == {"left out for balance": 4}
    fixed = frozen(cast, filters={"balance": {"by": "item.metadata.topic", "most": 2}, "caps": {"rows": 3}})
    assert fixed.counts["total"] == 3 and fixed.counts["dropped"] == {"left out for balance": 8, "over the cap": 1}


def test_what_gives_no_row_counts_for_no_cap(cast: Cast) -> None:
    make_pairs(cast.project, 6)
    answer_all(cast, "ann", 0, -1, 0, -1, None, -1)
    version = frozen(cast, filters={"caps": {"rows": 3}})
    assert version.counts["total"] == 3 and version.counts["dropped"] == {"tie": 2, "both bad": 1}


def test_the_count_beforehand_is_the_number_of_rows(cast: Cast) -> None:
    answered(cast, 9)
    filters = {"caps": {"rows": 4}, "where": [{"field": "item.source", "op": "exists", "value": True}]}
    target = targets.get("trl-preference")
    asked = freezing.checked_filters(cast.project, target, filters)
    selection = freezing.now(cast.project, target, asked, "prompt", 0)
    assert freezing.count(selection, most=100) == ({"train": 4}, 9)
    assert frozen(cast, filters=filters).counts["total"] == 4


# --- What is refused, and what is kept ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "path"),
    [
        ({"where": [{"field": "item.source", "op": "like", "value": "x"}]}, "where.0.op"),
        ({"where": [{"field": "item.secret", "op": "eq", "value": "x"}]}, "where.0.field"),
        ({"where": [{"field": "item.metadata.", "op": "eq", "value": "x"}]}, "where.0.field"),
        ({"where": [{"field": "item.source", "op": "eq"}]}, "where.0.value"),
        ({"where": [{"field": "item.source", "op": "in", "value": "x"}]}, "where.0.value"),
        ({"where": [{"field": "item.source", "op": "in", "value": [{}]}]}, "where.0.value"),
        ({"where": [{"field": "prompt.chars", "op": "lt", "value": True}]}, "where.0.value"),
        ({"where": [{"field": "prompt.chars", "op": "lt", "value": 10**30}]}, "where.0.value"),
        ({"where": [{"field": "prompt.chars", "op": "exists", "value": 1}]}, "where.0.value"),
        ({"where": [{"field": "item.created_at", "op": "lt", "value": "soon"}]}, "where.0.value"),
        ({"where": [{"field": "prompt.text", "op": "contains", "value": "a\0"}]}, "where.0.value"),
        ({"where": [{"field": "item.source", "op": "eq", "value": 1}] * 21}, "where"),
        ({"names": ["\ud800"]}, "names.0"),
        ({"names": [""]}, "names.0"),
        ({"since": "yesterday"}, "since"),
        ({"since": 0}, "since"),
        ({"since": "2026-01-02", "until": "2026-01-01"}, ""),
        ({"scores": [{"model": "nobody", "min": 0}]}, "scores.0.model"),
        ({"scores": [{"model": None, "min": 0}]}, "scores.0.model"),
        ({"scores": [{"model": "x"}]}, "scores.0"),
        ({"scores": [{"model": "x", "min": float("nan")}]}, "scores.0.min"),
        ({"caps": {"rows": 0}}, "caps.rows"),
        ({"caps": {"row": 1}}, "caps.row"),
        ({"balance": {"by": "prompt.text"}}, "balance.by"),
        ({"balance": {"by": "item.source", "most": "few"}}, "balance.most"),
        ({"labels": "cooked"}, "labels"),
        ({"where": nested(500)}, "where" + ".0" * 10),
    ],
)
def test_a_wrong_filter_names_its_place(cast: Cast, filters: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid) as told:
        freezing.request_version(project=cast.project, dataset_name="prefs", filters=filters)
    assert told.value.field == f"filters.{path}".rstrip(".") and not DatasetVersion.objects.exists()


@pytest.mark.parametrize(
    ("filters", "path"),
    [
        ({"labels": "raw"}, "labels"),
        ({"where": [{"field": "chosen.model", "op": "eq", "value": "x"}]}, "where.0.field"),
        ({"balance": {"by": "rejected.model"}}, "balance.by"),
        ({"scores": [{"model": 1, "of": "margin", "min": 0}]}, "scores.0.of"),
    ],
)
def test_a_filter_that_means_nothing_to_the_target_is_refused(cast: Cast, filters: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid) as told:
        freezing.request_version(project=cast.project, dataset_name="x", target="annotations", filters=filters)
    assert told.value.field == f"filters.{path}"


def test_a_model_of_another_project_is_no_model_here(cast: Cast) -> None:
    mine, newest = model("judge", cast), model("judge", cast, 2)
    asked = freezing.checked_filters(
        cast.project, targets.get("trl-preference"), {"scores": [{"model": "judge", "min": 0}]}
    )
    assert asked.scores[0].model == newest.pk != mine.pk
    with pytest.raises(Invalid):
        freezing.checked_filters(
            make_project("other"), targets.get("trl-preference"), {"scores": [{"model": newest.pk, "min": 0}]}
        )


def test_only_what_was_chosen_is_kept_so_that_hashes_stay() -> None:
    plain = {"axis": "overall", "annotators": "people", "min_annotations": 1, "min_confidence": 0, "min_margin": 0}
    assert kept(Filters(), tuple(Filters.model_fields)) == plain
    given = {"where": [{"field": "item.metadata.x", "op": "eq", "value": None}], "since": "2026-01-01"}
    stored = kept(filters_from(given), tuple(Filters.model_fields))
    assert stored == plain | {"where": given["where"], "since": "2026-01-01T00:00:00Z"}
    assert kept(filters_from(stored), tuple(Filters.model_fields)) == stored


def test_an_item_that_came_later_is_in_no_version_that_was_asked_before(cast: Cast) -> None:
    answered(cast, 3)
    tomorrow = (timezone.now() + timedelta(days=1)).isoformat()
    where = [{"field": "item.created_at", "op": "lt", "value": tomorrow}]
    assert len(items_of(frozen(cast, filters={"where": where}))) == 3


def test_it_is_made_again_as_it_was_whatever_came_since(cast: Cast) -> None:
    items = answered(cast, 10)
    judge = model("judge", cast)
    scored = list(Response.objects.filter(item__in=items[:8]))
    for response in scored:
        Score.objects.create(model=judge, response=response, value=1.0)
    filters = {
        "labels": "raw",
        "scores": [{"model": "judge", "min": 0}],
        "where": [{"field": "prompt.chars", "op": "gt", "value": 1}],
        "balance": {"by": "item.metadata.topic"},
        "caps": {"rows": 6},
    }
    halves = {"train": 0.5, "test": 0.5}
    version = frozen(cast, filters=filters, splits=halves, split_by="cluster", seed=3)
    assert version.counts["total"] == 6
    for response in Response.objects.filter(item__in=items[8:]):
        Score.objects.create(model=judge, response=response, value=1.0)
    make_pairs(cast.project, 5)
    answer_all(cast, "bob", -1, -1)
    assert checked(cast, version)["same"]
