"""What overlaps with benchmarks or earlier evaluation splits is proposed to be dropped, and kept out of versions."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import orjson
import pytest

from curation.errors import Conflict, Invalid
from curation.models import DatasetVersion, Embedding, Item, ModelVersion, Proposal, Run
from curation.services import protecting, running
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.curations import curated, started
from tests.judging import model, teach
from tests.test_decide import prefer
from tests.test_freezing import frozen, lines
from tests.test_rebuilding import checked

WORDS = "a train leaves the old station at noon and travels sixty miles an hour for three hours before it stops at {}"
HALF = {"train": 0.5, "test": 0.5}


@pytest.fixture
def bench(tmp_path: Path, settings: Any) -> Path:
    """A folder of benchmarks with one that is on no shelf, of three questions."""
    folder = tmp_path / "benchmarks" / "ours"
    folder.mkdir(parents=True)
    asked = [{"id": f"q{n}", "question": WORDS.format(place)} for n, place in enumerate(("rome", "oslo"))]
    asked.append(
        {"id": "q2", "question": [{"role": "user", "content": "Question 4?"}, {"role": "user", "content": "?"}]}
    )
    (folder / "test.jsonl").write_bytes(b"\n".join(map(orjson.dumps, asked)))
    settings.BENCHMARKS = str(tmp_path / "benchmarks")
    return folder


@pytest.fixture
def decided(cast: Cast) -> Cast:
    """Twelve pairs that ann decided; three of them overlap with the benchmark."""
    for task in make_pairs(cast.project, 12):
        prefer(cast.project, "ann", task, -2)
    said = {"item-1": f"Please answer: {WORDS.format('paris')}", "item-7": WORDS.format("Oslo!").upper()}
    for name, text in said.items():
        Item.objects.filter(external_id=name).update(prompt=[{"role": "user", "content": text}], prompt_hash=name)
    return cast


def test_a_curator_names_the_row_of_the_benchmark_and_the_words(decided: Cast, bench: Path) -> None:
    run = curated(decided, "decontaminate", settings={"against": ["ours"]})
    found = dict(Proposal.objects.filter(run=run).values_list("item__external_id", "reason"))
    assert found.keys() == {"item-1", "item-4", "item-7"}
    assert found["item-1"].startswith("overlaps with ours, test q0, by 13 words in a row: “a train leaves the old")
    assert found["item-7"].startswith("overlaps with ours, test q1, by the same words")
    assert {(p.action, p.cause) for p in Proposal.objects.filter(run=run)} == {("drop", "overlaps with ours")}


def test_a_version_leaves_out_what_overlaps_and_says_against_what_it_was_checked(decided: Cast, bench: Path) -> None:
    version = frozen(decided, filters={"decontaminate": ["ours"]})
    assert version.counts["dropped"] == {"overlaps with ours": 3} and version.counts["total"] == 9
    assert not {row["item"] for row in lines(version, "lineage")} & {"item-1", "item-4", "item-7"}
    (told,) = version.facts["decontaminated"]
    assert (told["name"], told["texts"], told["left_out"]) == ("ours", 3, 3)
    assert f"| ours | 3 | 3 | `{told['sha256'][:16]}` |" in version.card


def test_it_is_made_again_with_the_same_bytes_when_the_benchmark_has_changed(decided: Cast, bench: Path) -> None:
    version = frozen(decided, filters={"decontaminate": {"against": ["ours"], "minhash": 0.7}})
    (bench / "test.jsonl").unlink()
    assert checked(decided, version)["same"]
    protecting.place(version.lineage["protected"][0]["sha256"]).unlink()
    with pytest.raises(AssertionError, match="all workers need the same TOUCHSTONE_VAR"):
        checked(decided, version)


def apart(decided: Cast) -> None:
    """Let no prompt overlap with another one."""
    Item.objects.filter(external_id="item-7").update(prompt=[{"role": "user", "content": "Of something else?"}])


def test_what_was_for_evaluation_is_kept_out_of_training_and_stays_in_evaluation(decided: Cast) -> None:
    def where(version: DatasetVersion) -> dict[str, str]:
        return {row["item"]: row["split"] for row in lines(version, "lineage")}

    apart(decided)
    first = frozen(decided, splits=HALF)
    tested = {name for name, split in where(first).items() if split == "test"}
    assert 2 < len(tested) < 10
    same = frozen(decided, splits=HALF, filters={"decontaminate": ["own"]})
    assert where(same) == where(first), "with the same seed nothing that was for evaluation is in training"
    other = frozen(decided, splits=HALF, seed=5, filters={"decontaminate": ["own"]})
    learnt = {name for name, split in where(other).items() if split == "train"}
    assert learnt and not learnt & tested
    assert other.counts["dropped"]["overlaps with own prefs v1 test"] > 0
    assert set(where(other).values()) == {"train", "test"} and len(other.facts["decontaminated"]) == 2


def test_a_curator_leaves_the_evaluation_split_itself_alone(decided: Cast) -> None:
    apart(decided)
    first = frozen(decided, splits=HALF)
    tested = [row["item"] for row in lines(first, "lineage") if row["split"] == "test"]
    assert curated(decided, "decontaminate").result["proposals"] == 0
    item = Item.objects.get(external_id=tested[0])
    text = item.prompt[0]["content"] * 4
    Item.objects.filter(pk=item.pk).update(prompt=[{"role": "user", "content": text * 2}])
    (copy,) = make_pairs(decided.project, 1)
    prefer(decided.project, "ann", copy, 1)
    assert copy.pair is not None
    Item.objects.filter(pk=copy.pair.item_id).update(prompt=[{"role": "user", "content": f"Again: {text} {text}"}])
    run = curated(decided, "decontaminate", settings={"ngram": 5})
    assert [one.item_id for one in Proposal.objects.filter(run=run)] == [copy.pair.item_id]


def test_what_cannot_be_compared_with_is_refused_in_words(decided: Cast, bench: Path, settings: Any) -> None:
    for name in ("nowhere", "../ours", "gold"):
        with pytest.raises(Invalid, match="must be one of: own, "):
            frozen(decided, filters={"decontaminate": [name]})
        with pytest.raises(Invalid, match="must be one of: own, "):
            started(decided, "decontaminate", settings={"against": [name]})
    (bench / "test.jsonl").write_text('{"answer": 42}\n')
    version = frozen(decided, filters={"decontaminate": ["ours"]})
    assert version.state == "failed" and version.run is not None
    assert "test.jsonl, row 1: it has none of prompt, question" in version.run.error
    with pytest.raises(Conflict):
        protecting.gathered(decided.project, ["ours"], version.created_at)


def test_over_the_api_a_list_of_names_is_enough(decided: Cast, bench: Path) -> None:
    client = calling(decided.olga)
    given = {"filters": {"decontaminate": ["ours"]}, "name": "prefs"}
    made = client.post(f"/api/v1/projects/{decided.project.slug}/datasets/prefs/versions", given, format="json")
    assert made.status_code in (201, 202), made.json()
    running.execute(str(Run.objects.get(method="freeze").pk))
    version = DatasetVersion.objects.get()
    assert version.counts["dropped"] == {"overlaps with ours": 3}
    assert version.filters["decontaminate"]["against"] == ["ours"]


def test_prompts_near_protected_ones_by_an_embedder_are_found(
    decided: Cast, bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = seeing(decided, monkeypatch)
    run = curated(decided, "decontaminate", settings={"against": ["ours"], "embedder": embedder.pk})
    found = dict(Proposal.objects.filter(run=run).values_list("item__external_id", "reason"))
    assert found.keys() == {"item-1", "item-4", "item-7", "item-9"}
    assert found["item-9"] == "overlaps with ours, test q2, by a cosine of 0.995"


def seeing(decided: Cast, monkeypatch: pytest.MonkeyPatch) -> ModelVersion:
    """An embedder that gives the protected questions, and item-9, the same vector; item-2 has none."""
    embedder = model("seer", kind="embedder", reference="program:length")
    teach(monkeypatch, "program", lambda candidate: {"vector": [1.0, 0.0]})
    for item in Item.objects.filter(project=decided.project).exclude(external_id="item-2"):
        vector = [1.0, 0.1] if item.external_id == "item-9" else [0.2, 1.0]
        Embedding.objects.create(model=embedder, item=item, vector=struct.pack("<2e", *vector))
    return embedder


def test_a_version_leaves_out_what_is_near_by_vectors_and_its_card_says_so(
    decided: Cast, bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeing(decided, monkeypatch)
    asked = {"against": ["ours"], "embedder": "seer", "embedding": 0.99}
    version = frozen(decided, filters={"decontaminate": asked})
    assert version.counts["dropped"] == {"overlaps with ours": 3, "near by vectors to ours": 1}
    assert "item-9" not in {row["item"] for row in lines(version, "lineage")} and version.counts["total"] == 8
    (told,) = version.facts["decontaminated"]
    assert (told["left_out"], told["left_out_by_vectors"]) == (4, 1)
    assert "or a vector with a cosine of 0.99 to that of it, by seer v1." in version.card
    assert f"| ours | 3 | 4 | 1 | `{told['sha256'][:16]}` |" in version.card
    far = frozen(decided, filters={"decontaminate": {**asked, "embedding": 0.999}})
    assert far.counts["dropped"] == {"overlaps with ours": 3}


def test_vectors_that_come_later_and_a_model_that_says_otherwise_change_no_version(
    decided: Cast, bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = seeing(decided, monkeypatch)
    version = frozen(decided, filters={"decontaminate": {"against": ["ours"], "embedder": embedder.pk}})
    item = Item.objects.get(external_id="item-2")
    Embedding.objects.create(model=embedder, item=item, vector=struct.pack("<2e", 1.0, 0.0))
    teach(monkeypatch, "program", lambda candidate: {"vector": [0.2, 1.0]})
    assert checked(decided, version)["same"]
    vectors = protecting.place(version.lineage["protected"][0]["vectors"], "npy")
    vectors.unlink()
    with pytest.raises(AssertionError, match="all workers need the same TOUCHSTONE_VAR"):
        checked(decided, version)


def test_an_embedder_without_vectors_of_prompts_here_is_refused_in_words(decided: Cast, bench: Path) -> None:
    embedder = model("seer", kind="embedder", reference="program:length")
    for named, words in (("seer", "no prompt has a vector"), (embedder.pk + 1, "no embedder that this project")):
        with pytest.raises(Invalid, match=words):
            frozen(decided, filters={"decontaminate": {"against": ["ours"], "embedder": named}})
