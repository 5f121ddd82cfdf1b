"""What a version says of itself: a card that the Hub's tools read, and a Croissant file that its validator accepts."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from curation.models import DatasetVersion, Item, Source
from curation.services.card_people import plain
from curation.services.cards import creators
from curation.services.freezing.croissant import NOT_TOLD, croissant
from tests.cast import Cast, make_pairs
from tests.imports import bring, row
from tests.test_freezing import answer_all, frozen


@pytest.fixture
def version(cast: Cast) -> DatasetVersion:
    """Two people on three of four pairs, from two sources."""
    cast.project.overlap = 2
    cast.project.name = "Nasty | name\n---\n# `x` <b>"
    cast.project.save()
    make_pairs(cast.project, 4)
    sources = [Source.objects.create(project=cast.project, name=n, licence=li) for n, li in (("a|b", "MIT"), ("c", ""))]
    for item, source in zip(Item.objects.order_by("pk"), [sources[0], sources[0], sources[1]], strict=False):
        Item.objects.filter(pk=item.pk).update(source=source)
    answer_all(cast, "ann", -1, -1, 2, 1)
    answer_all(cast, "bob", -2, 1, 2)
    return frozen(cast, splits={"train": 0.5, "test": 0.5})


def head(version: DatasetVersion) -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load(version.card.split("---\n")[1])
    return told


def test_the_figures_behind_it(version: DatasetVersion) -> None:
    facts = version.facts
    assert facts["annotators"] == {"person": {"annotators": 2, "answers": 7, "minutes": 0.0}}
    told = facts["agreement"]["overall"]
    assert (told["pairs"], told["unanimous"], told["percent"]) == (3, 2, round(2 / 3, 4))
    assert told["alpha_nominal"] is not None and told["alpha_nominal"] < 1
    assert [(one["name"], one["licence"], one["items"]) for one in facts["sources"]] == [
        ("a|b", "MIT", 2), ("c", "", 1), ("", "", 1),
    ]  # fmt: skip
    assert facts["protocols"] == [1]


def test_the_front_matter_is_the_hubs(version: DatasetVersion) -> None:
    told = head(version)
    assert [one["split"] for one in told["configs"][0]["data_files"]] == ["train", "test"], "in which loaders give them"
    assert all(one["path"] == f"{one['split']}.parquet" for one in told["configs"][0]["data_files"])
    assert told["annotations_creators"] == ["other"], "nobody told whether they are experts or a crowd"
    assert told["size_categories"] == ["n<1K"] and "trl-preference" in told["tags"]
    assert {one["name"]: one["num_examples"] for one in told["dataset_info"]["splits"]} == {
        split: version.counts["rows"][split] for split in version.filled_splits
    }
    assert "license" not in told, "not every source tells its licence"


@pytest.mark.training
def test_its_folder_is_loaded_by_its_card(version: DatasetVersion, tmp_path: Any) -> None:
    from datasets import load_dataset
    from huggingface_hub import DatasetCard

    data = load_dataset(str(version.folder), cache_dir=str(tmp_path))
    assert [(split, rows.num_rows) for split, rows in data.items()] == [
        (split, version.counts["rows"][split]) for split in ("train", "test")
    ]
    card = DatasetCard.load(version.folder / "README.md")
    assert card.data.pretty_name.startswith("Nasty")


@pytest.mark.parametrize("target", ["trl-preference", "trl-preference-implicit", "annotations", "rewardbench"])
@pytest.mark.training
def test_features_of_every_shape_are_read(cast: Cast, target: str, tmp_path: Any) -> None:
    from datasets import load_dataset

    make_pairs(cast.project, 2)
    answer_all(cast, "ann", -1, 1)
    version = frozen(cast, target=target)
    assert load_dataset(str(version.folder), cache_dir=str(tmp_path))["train"].num_rows == 2


def test_names_of_others_do_not_break_the_card(version: DatasetVersion) -> None:
    assert version.card.count("\n---\n") == 1
    assert r"a\|b" in version.card and "<b>" not in version.card.split("---\n", 2)[2]
    assert plain("a | b\n# c") == r"a \| b \# c"


def test_the_card_says_how_far_they_agree_and_who_read_it(version: DatasetVersion) -> None:
    for words in ("Krippendorff", "2 persons", "rules", f"all {version.counts['total']} rows keep", "not told", "v1"):
        assert words in version.card, words


def test_nobody_overlaps_is_said_to_be_undefined(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    answer_all(cast, "ann", -1, 1)
    version = frozen(cast)
    assert version.facts["agreement"]["overall"]["alpha_nominal"] is None and "undefined" in version.card


def test_one_licence_of_all_sources_is_the_versions(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    source = Source.objects.create(project=cast.project, name="mine", licence="CC-BY-4.0")
    Item.objects.update(source=source)
    answer_all(cast, "ann", -1)
    assert head(frozen(cast))["license"] == "cc-by-4.0"
    Source.objects.update(licence="Our own")
    told = head(frozen(cast))
    assert (told["license"], told["license_name"]) == ("other", "Our own")


def test_croissant_is_valid_and_its_records_are_read(version: DatasetVersion) -> None:
    import mlcroissant

    path = version.folder / "croissant.json"
    document = json.loads(path.read_text())
    assert {one["name"]: one["sha256"] for one in document["distribution"]} == {
        file.name: file.sha256 for file in version.files.all()
    }
    assert document["rai:dataAnnotationProtocol"].endswith("people. 7 answers of 2 people.")
    assert version.hash in document["citeAs"] and document["license"] == [NOT_TOLD]
    assert "url" not in document, "no address that others reach is set"
    data = mlcroissant.Dataset(jsonld=path)
    assert not data.metadata.ctx.issues.errors
    split = version.filled_splits[0]
    records = list(data.records(split))
    assert len(records) == version.counts["rows"][split] and f"{split}/chosen" in records[0]


def test_who_was_imported_is_told_apart_and_no_time_is_theirs(cast: Cast, client: Any) -> None:
    votes = [{"annotator": name, "value": -1} for name in ("x", "y")]
    bring(cast.project, *(row(str(n), votes=votes) for n in range(3)))
    make_pairs(cast.project, 1)
    only = croissant(frozen(cast), [])["rai:dataAnnotationProtocol"]
    assert only.endswith("people. 6 answers of 2 people, imported.")
    answer_all(cast, "ann", -1, ms=30_000)
    version = frozen(cast)
    told = version.facts["annotators"]["person"]
    assert told == {
        "annotators": 3, "answers": 7, "minutes": 0.5, "imported": {"annotators": 2, "answers": 6},
    }  # fmt: skip
    said = "7 answers of 3 people, 6 of them imported, of 2; 0.5 minutes measured of those given here."
    assert croissant(version, [])["rai:dataAnnotationProtocol"].endswith(said)
    assert "| 1 person | 1 | 0.5 |" in version.card and "| 2 persons, imported | 6 | – |" in version.card
    client.force_login(cast.olga)
    page = client.get(f"/projects/{cast.project.slug}/datasets/prefs/{version.number}/").content.decode()
    assert "7 answers, 6 of them imported, of 2; 0.5 minutes measured of those given here" in page


def test_annotators_are_what_is_known_of_them(version: DatasetVersion) -> None:
    person = {"annotators": 3, "answers": 9, "minutes": 0}
    for kinds, words in (
        ({"person": person | {"guests": {"annotators": 3, "answers": 9}}}, ["crowdsourced"]),
        ({"person": person | {"guests": {"annotators": 1, "answers": 2}}}, ["crowdsourced", "other"]),
        (
            {"person": person | {"imported": {"annotators": 3, "answers": 9}}, "model": {}},
            ["other", "machine-generated"],
        ),
        ({}, ["no-annotation"]),
    ):
        version.facts["annotators"] = kinds
        assert creators(version) == words


def test_croissant_gives_addresses_that_lead_somewhere(version: DatasetVersion, settings: Any) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://*.example.org", "https://t.example.org"]
    path = f"projects/helpfulness/datasets/{version.dataset.name}/{version.number}/"
    assert croissant(version, [])["url"] == f"https://t.example.org/{path}"
    assert croissant(version, [], "https://hub.org/datasets/a/b")["url"] == "https://hub.org/datasets/a/b"
    version.facts["sources"] = [{"licence": "CC-BY-4.0"}, {"licence": "Our own"}]
    assert croissant(version, [])["license"] == [
        "https://spdx.org/licenses/CC-BY-4.0.html", {"@type": "sc:CreativeWork", "name": "Our own"},
    ]  # fmt: skip
