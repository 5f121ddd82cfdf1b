"""What belongs together is in one split: prompts, items, sources, near-duplicate prompts; whatever the order."""

from __future__ import annotations

import random
import re
from collections import defaultdict

import orjson
import pytest
from django.core.management import CommandError, call_command

from curation.errors import Invalid
from curation.models import DatasetVersion, Item, Proposal, Source
from curation.services import freezing
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.curations import curated
from tests.test_decide import prefer
from tests.test_freezing import answer_all, frozen, lines
from workers.clustering import near_duplicates, shingles

HALF = {"train": 0.5, "test": 0.5}
SENTENCE = "Why does the sky look blue at noon and red in the evening, and what has the air to do with it? Case {}."


def splits_of(version: DatasetVersion) -> dict[str, str]:
    return {row["item"]: row["split"] for row in lines(version, "lineage")}


def test_an_item_is_in_one_split_and_equal_prompts_need_not_be(cast: Cast) -> None:
    make_pairs(cast.project, 20)
    Item.objects.update(prompt_hash="same")
    answer_all(cast, "ann", *[-1] * 20)
    assert set(splits_of(frozen(cast, splits=HALF)).values()) == {splits_of(frozen(cast, splits=HALF))["item-0"]}
    version = frozen(cast, splits=HALF, split_by="item")
    assert set(splits_of(version).values()) == {"train", "test"} and version.split_by == "item"


def test_a_source_is_in_one_split(cast: Cast) -> None:
    make_pairs(cast.project, 20)
    sources = [Source.objects.create(project=cast.project, name=f"source {n}") for n in range(9)]
    for number, item in enumerate(Item.objects.order_by("pk")):
        item.source = sources[number % 10] if number % 10 < 9 else None
        item.save()
    answer_all(cast, "ann", *[-1] * 20)
    found = defaultdict(set)
    for name, split in splits_of(frozen(cast, splits=HALF, split_by="source")).items():
        found[int(name.removeprefix("item-")) % 10].add(split)
    assert all(len(each) == 1 for each in found.values())
    assert set().union(*found.values()) == {"train", "test"}


def test_near_duplicate_prompts_are_in_one_split(cast: Cast) -> None:
    make_pairs(cast.project, 40)
    for number, item in enumerate(Item.objects.order_by("pk")):
        if number < 20:
            item.prompt = [{"role": "user", "content": SENTENCE.format(number)}]
        else:
            item.prompt = [{"role": "user", "content": f"{random.Random(number).random()} and 🙂 {number * 7919}"}]
        item.save()
    answer_all(cast, "ann", *[-1] * 40)
    version = frozen(cast, splits=HALF, split_by="cluster")
    where = splits_of(version)
    assert len({where[f"item-{n}"] for n in range(20)}) == 1
    assert {where[f"item-{n}"] for n in range(20, 40)} == {"train", "test"}
    by_prompt = splits_of(frozen(cast, splits=HALF))
    assert len({by_prompt[f"item-{n}"] for n in range(20)}) == 2
    names = {"where": [{"field": "item.external_id", "op": "in", "value": ["item-3", "item-30"]}]}
    some = splits_of(frozen(cast, splits=HALF, split_by="cluster", filters=names))
    assert some == {name: where[name] for name in some} and len(some) == 2


def test_what_the_duplicates_curator_would_drop_is_never_on_both_sides(cast: Cast) -> None:
    """Planted copies of prompts, each with a word or two changed: split by cluster, none is in train and test."""
    chance = random.Random(3)
    tasks = make_pairs(cast.project, 60)
    items = list(Item.objects.order_by("pk"))
    for number, item in enumerate(items[:40]):
        said = [f"w{chance.randrange(5000)}" for _ in range(60)]
        item.prompt = [{"role": "user", "content": " ".join(said)}]
        item.save()
        if number < 20:
            said[chance.randrange(60)] = f"w{chance.randrange(5000)}"
            items[40 + number].prompt = [{"role": "user", "content": " ".join(said)}]
            items[40 + number].save()
    for task in tasks:
        prefer(cast.project, "ann", task, -1)
    settings = {"by": "minhash", "on": "prompt"}
    run = curated(cast, "duplicates", settings=settings)
    found = dict(Proposal.objects.filter(run=run).values_list("item__external_id", "reason"))
    assert len(found) >= 19 and found.keys() <= {f"item-{n}" for n in range(40, 60)}
    where = splits_of(frozen(cast, splits=HALF, split_by="cluster"))
    for name, reason in found.items():
        kept = re.search(r" as (item-\d+) ", reason)
        assert kept and where[name] == where[kept[1]], reason
    assert set(where.values()) == {"train", "test"}


def test_what_is_together_does_not_depend_on_the_order() -> None:
    texts = [(f"k{n}", SENTENCE.format(n)) for n in range(30)] + [(f"o{n}", f"{n * 7919} {n}" * 5) for n in range(30)]
    found = near_duplicates(texts)
    assert found == {f"k{n}": "k0" for n in range(30)}
    for seed in range(5):
        shuffled = random.Random(seed).sample(texts, len(texts))
        assert near_duplicates(shuffled) == found
    assert near_duplicates([*texts, *texts]) == found
    assert near_duplicates([]) == {}


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (SENTENCE, SENTENCE.upper().replace(" ", "\r\n"), True),
        (
            "为什么天空是蓝色的？请详细解释一下原因，谢谢你的帮助。",
            "为什么天空是蓝色的？请详细解释一下原因，谢谢你的帮助",
            True,
        ),
        (
            SENTENCE,
            "How many legs has a spider, and why are they so many? Think step by step before you answer.",
            False,
        ),
        ("", "", True),
        ("a", "b", False),
        ("مرحبا كيف حالك اليوم يا صديقي العزيز", "مرحبا كيف حالك اليوم يا صديقي العزيز!", True),
        ("🙂" * 9, "🙃" * 9, False),
    ],
)
def test_near_means_nearly_the_same_text(one: str, other: str, together: bool) -> None:
    assert near_duplicates([("b", one), ("a", other)]) == ({"a": "a", "b": "a"} if together else {})


def test_shingles_of_a_huge_text_are_no_more_than_its_beginning_has() -> None:
    assert len(shingles("x" * 10**6)) <= 20_000 and shingles(" A \n b ") == ["a b"]


def test_a_usual_manifest_does_not_name_it(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    answer_all(cast, "ann", -1, -1)
    usual = frozen(cast)
    assert usual.split_by == "prompt"
    assert "split_by" not in orjson.loads((usual.folder / "manifest.json").read_bytes())


def test_every_door_takes_it_and_refuses_what_it_is_not(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    with pytest.raises(Invalid) as told:
        freezing.request_version(project=cast.project, dataset_name="prefs", split_by=["item"])
    assert told.value.field == "split_by"
    url = f"/api/v1/projects/{cast.project.slug}/datasets/prefs/versions"
    wrong = calling(cast.sol).post(url, orjson.dumps({"split_by": "colour"}), content_type="application/json")
    assert wrong.status_code == 400 and "split_by" in wrong.content.decode()
    assert (
        calling(cast.sol).post(url, orjson.dumps({"split_by": "cluster"}), content_type="application/json").status_code
        == 202
    )
    assert calling(cast.vic).get(f"{url}/1").json()["split_by"] == "cluster"
    call_command("export", cast.project.slug, "other", "--split-by", "source", "--filters", '{"labels": "raw"}')
    version = DatasetVersion.objects.get(dataset__name="other")
    assert version.split_by == "source" and version.filters["labels"] == "raw"
    with pytest.raises(CommandError):
        call_command("export", cast.project.slug, "other", "--filters", "[]")
