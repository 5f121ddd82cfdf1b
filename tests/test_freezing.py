"""Versions are numbered, hashed and immutable; the same selection of the same data gives the same bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from curation.access import annotator_for
from curation.errors import Conflict, Invalid
from curation.models import DatasetVersion, Item, Run
from curation.services import annotating, assigning, freezing, projects, running
from curation.services.desk import desk_of
from curation.services.exporting import OutOfRange, content_of, part
from curation.services.freezing import making
from tests.cast import Cast, make_pairs
from tests.test_people import browser


def answer_all(cast: Cast, name: str, *values: int | None, ms: int | None = None) -> None:
    """`name` answers the next tasks; values in stored order, None is both bad."""
    annotator = annotator_for(cast.people[name], cast.project)
    for value in values:
        desk = desk_of(cast.project, annotator)
        held = assigning.next_for(project=cast.project, annotator=annotator)
        assert held is not None
        shown = -value if held.order == "ba" and value is not None else value
        judgement = annotating.Judgement("overall", shown, value is None)
        key = annotating.Commit(f"{name}{held.task_id}", ms)
        annotating.submit(desk=desk, task_id=held.task_id, judgements=[judgement], commit=key)


def frozen(cast: Cast, **options: Any) -> DatasetVersion:
    version = freezing.request_version(project=cast.project, dataset_name="prefs", user=cast.olga, **options)
    running.execute(str(version.run_id))
    version.refresh_from_db()
    return version


def lines(version: DatasetVersion, stem: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (version.folder / f"{stem}.jsonl").read_bytes().splitlines()]


def test_a_version_holds_the_decided_pairs_and_says_what_it_left_out(cast: Cast) -> None:
    make_pairs(cast.project, 6)
    answer_all(cast, "ann", -1, 2, 0, None)
    version = frozen(cast)
    assert version.state == "ready" and version.number == 1
    assert version.counts["rows"] == {"train": 2}
    assert version.counts["dropped"] == {"tie": 1, "both bad": 1, "not answered": 2}
    first, second = lines(version, "train")
    assert first["prompt"] == [{"role": "user", "content": "Question 0?"}]
    assert first["chosen"][0]["content"] == "Answer 0 to 0" and second["chosen"][0]["content"] == "Answer 1 to 1"


def test_both_formats_hold_the_same_rows(cast: Cast) -> None:
    make_pairs(cast.project, 4)
    answer_all(cast, "ann", -1, 2, 1, -2)
    version = frozen(cast, target="trl-preference-implicit")
    rows = lines(version, "train")
    assert pq.read_table(version.folder / "train.parquet").to_pylist() == rows
    assert [row["margin"] for row in rows] == [1, 2, 1, 2]
    assert [m["role"] for m in rows[0]["chosen"]] == ["user", "assistant"]


def test_the_same_selection_gives_the_same_bytes(cast: Cast) -> None:
    make_pairs(cast.project, 8)
    answer_all(cast, "ann", *[-1] * 8)
    options = {"splits": {"train": 0.5, "test": 0.5}, "seed": 3}
    one, two = frozen(cast, **options), frozen(cast, **options)
    assert one.hash == two.hash and [one.number, two.number] == [1, 2]
    assert frozen(cast, splits=options["splits"], seed=4).hash != one.hash


def test_later_answers_do_not_change_a_version(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    answer_all(cast, "ann", -1)
    version = freezing.request_version(project=cast.project, dataset_name="prefs", user=cast.olga)
    answer_all(cast, "ann", 1)
    running.execute(str(version.run_id))
    version.refresh_from_db()
    assert version.counts["rows"] == {"train": 1}


def test_an_undone_answer_is_in_no_version_but_its_successor_is(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    answer_all(cast, "ann", -1)
    annotator = annotator_for(cast.ann, cast.project)
    last = annotating.last_of(desk=desk_of(cast.project, annotator))
    assert last is not None
    annotating.undo(desk=desk_of(cast.project, annotator), annotation_id=last.pk, commit=annotating.Commit("u"))
    assert frozen(cast).counts["total"] == 0


def test_equal_prompts_share_a_split(cast: Cast) -> None:
    make_pairs(cast.project, 30)
    Item.objects.filter(external_id__in=[f"item-{n}" for n in range(15)]).update(prompt_hash="same")
    answer_all(cast, "ann", *[-1] * 15)
    assert sorted(frozen(cast, splits={"a": 0.5, "b": 0.5}).counts["rows"].values()) == [0, 15]


def test_every_row_is_traced_to_its_annotations(cast: Cast) -> None:
    cast.project.overlap = 2
    make_pairs(cast.project, 2)
    answer_all(cast, "ann", -1, 2)
    answer_all(cast, "bob", -2, 2)
    version = frozen(cast)
    trace, raw = lines(version, "lineage"), lines(version, "annotations")
    assert [row["item"] for row in trace] == ["item-0", "item-1"] and [row["votes"] for row in trace] == [2, 2]
    assert trace[0]["value"] == -1.5 and trace[0]["confidence"] == 1
    assert {row["annotation"] for row in raw} == {n for row in trace for n in row["annotations"]}
    assert {row["annotator"] for row in raw} == {"@ann", "@bob"}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"target": "parchment"}, "target"),
        ({"splits": {"train": 0.9, "test": 0.2}}, "splits"),
        ({"splits": {"../x": 1}}, "splits.../x"),
        ({"splits": {"lineage": 1}}, "splits.lineage"),
        ({"seed": -1}, "seed"),
        ({"filters": {"min_annotations": "many"}}, "filters.min_annotations"),
    ],
)
def test_a_wrong_request_names_its_field(cast: Cast, options: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as told:
        freezing.request_version(project=cast.project, dataset_name="prefs", **options)
    assert told.value.field == field and not DatasetVersion.objects.exists()


def test_a_version_whose_run_was_cancelled_is_failed(cast: Cast) -> None:
    version = freezing.request_version(project=cast.project, dataset_name="prefs")
    assert version.run is not None
    running.cancel(version.run)
    version.refresh_from_db()
    assert version.state == "failed"
    with pytest.raises(Conflict):
        content_of(version, "train.jsonl")


def test_a_run_done_twice_leaves_one_version(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    answer_all(cast, "ann", 1)
    version = frozen(cast)
    Run.objects.filter(pk=version.run_id).update(state="queued")
    running.execute(str(version.run_id))
    assert Run.objects.get(pk=version.run_id).state == "succeeded"
    assert version.files.count() == 6 and [p.name for p in version.folder.parent.iterdir()] == ["v1"]


def test_parts_of_a_file(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    answer_all(cast, "ann", 1)
    version = frozen(cast)
    content = content_of(version, "train.jsonl")
    whole = b"".join(part(content).chunks())
    assert len(whole) == content.size
    for wanted, expected in [("bytes=0-9", whole[:10]), ("bytes=5-", whole[5:]), ("bytes=-7", whole[-7:])]:
        assert b"".join(part(content, wanted).chunks()) == expected
    assert part(content, "lines=1-2").whole
    with pytest.raises(OutOfRange):
        part(content, f"bytes={content.size}-")


def test_raw_answers_name_the_protocol_version_and_the_time_in_utc(cast: Cast) -> None:
    projects.revise_protocol(project=cast.project, strengths=3)
    make_pairs(cast.project, 1)
    answer_all(cast, "ann", -3)
    (answer,) = lines(frozen(cast), "annotations")
    assert answer["protocol"] == 2 and answer["value"] == -3
    moment = datetime.fromisoformat(answer["created_at"])
    assert moment.utcoffset() == timedelta(0) and abs(datetime.now(UTC) - moment) < timedelta(minutes=1)


def test_a_split_without_rows_is_not_offered_to_loaders(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    answer_all(cast, "ann", -1)
    version = frozen(cast, splits={"train": 0.99999, "test": 0.00001})
    assert version.counts["rows"] == {"train": 1, "test": 0}
    assert version.filled_splits == ["train"] and "test.parquet" not in version.card.split("## Load")[1]


def test_what_a_dead_worker_left_half_done_is_cleared_away(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    answer_all(cast, "ann", 1)
    version = freezing.request_version(project=cast.project, dataset_name="prefs", user=cast.olga)
    left = version.folder.with_name(f"{version.folder.name}-dead")
    left.mkdir(parents=True)
    (left / "train.jsonl").write_text("half")
    running.execute(str(version.run_id))
    assert [path.name for path in version.folder.parent.iterdir()] == ["v1"]


def test_while_it_is_made_its_page_tells_the_step(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    make_pairs(cast.project, 1)
    answer_all(cast, "ann", -1)
    seen = []

    def look(version: DatasetVersion) -> str:
        address = f"/projects/{cast.project.slug}/datasets/prefs/{version.number}/"
        return str(browser(cast.vic).get(address).content.decode())

    def looking(module: Any, name: str) -> None:
        usual = getattr(module, name)
        monkeypatch.setattr(module, name, lambda version, *rest: (seen.append(look(version)), usual(version, *rest))[1])

    looking(making, "write_splits")
    looking(making, "write_companions")
    looking(making.cards, "card")
    assert "Waiting for a worker" in look(freezing.request_version(project=cast.project, dataset_name="prefs"))
    frozen(cast)
    words = ("Reading what is decided", "Writing the raw answers", "Putting the files into their place")
    assert all(one in page for one, page in zip(words, seen, strict=True))
    assert "looked at" not in seen[0] and "1 of 1 pairs looked at" in seen[1]
