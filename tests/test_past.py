"""Versions are made again as they were, byte for byte, whatever became of their items since."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.utils import timezone

from curation.models import Change, DatasetVersion, Item, Project, Response, Source, TaskKind
from curation.services import freezing, removing, running
from curation.services.freezing import making
from curation.services.freezing.selecting import selection_of
from curation.services.past import Past, last_change
from tests.cast import Cast
from tests.critics import SAFE, STEP, ask, item, land
from tests.test_rebuilding import checked

AXES = [{"name": "overall", "question": "Better?"}]
TEXTS = ("It is. Green it is not.", "It is blue. It is.", "Perhaps it is. Who knows?")


def votes(*values: int) -> list[dict[str, Any]]:
    pairs = ((0, 1), (1, 2), (0, 2))
    said = zip(pairs, values, strict=False)
    return [{"annotator": "w", "value": value, "first": a, "second": b} for (a, b), value in said]


def spoken(count: int, **more: Any) -> list[dict[str, Any]]:
    """What two annotators of a file say of each response."""
    critiques = [{"start": 0, "end": 2, "type": "wrong", "polarity": -1, "comment": "no"}]
    verdicts = [{"question": "correct", "answer": True}]
    each = {"critiques": critiques, "verdicts": verdicts} | more
    return [{"annotator": who, "response": n, **each} for who in ("w", "x") for n in range(count)]


def rows(kind: str, count: int = 6) -> list[dict[str, Any]]:
    """Items of a kind with everything that a version can hold of them."""
    made = []
    for n in range(count):
        given = item(f"i{n}", *TEXTS, prompt=f"What colour is the sky over town {n}?", metadata={"topic": "sky"})
        given["context"] = {"documents": [{"title": "t", "text": f"Town {n}."}]}
        given["answers"] = spoken(len(TEXTS))
        if kind == TaskKind.PREFERENCE:
            given["votes"] = votes(1 - 2 * (n % 2), 2, -1)
        if kind == TaskKind.RANKING:
            given["answers"] += [{"annotator": "y", "ranks": [1, 3, 2]}]
        made.append(given)
    return made


def unsettle(cast: Cast, given: list[dict[str, Any]]) -> None:
    """Everything that can become of an item: corrected in each part, twice, removed, restored, removed again."""
    project = cast.project
    prompt, texts, order, metadata, gone, back = (dict(one) for one in given)
    prompt |= {"prompt": "Another question?", "context": {"documents": ["Another town."]}, "answers": []}
    texts |= {"responses": [TEXTS[0], "Quite another text.", TEXTS[2]], "answers": [], "votes": []}
    order |= {"responses": [TEXTS[2], TEXTS[0], TEXTS[1]], "answers": [], "votes": []}
    metadata |= {"metadata": {"topic": "sea"}}
    land(project, prompt, texts, order, metadata, source="Elsewhere")
    land(project, prompt | {"prompt": "And again another?"}, texts | {"responses": [TEXTS[0], TEXTS[2], "New."]})
    land(project, item("new", *TEXTS, answers=spoken(3)))
    ids = dict(Item.objects.filter(project=project).values_list("external_id", "pk"))
    removing.remove(project=project, ids=[ids["i4"], ids["i5"], ids["i1"]], user=cast.mia)
    removing.restore(project=project, ids=[ids["i5"]], user=cast.mia)
    land(project, {key: value for key, value in back.items() if key != "answers"} | {"prompt": "Back?"})


def house(cast: Cast, kind: TaskKind) -> None:
    more: dict[str, Any] = {"axes": AXES} if kind == TaskKind.PREFERENCE else {}
    ask(cast.project, kind, questions=[*SAFE, {"name": "correct", "question": "Right?", "kind": "yes-no"}], **more)


def made(cast: Cast, **options: Any) -> DatasetVersion:
    version = freezing.request_version(project=cast.project, dataset_name="prefs", user=cast.olga, **options)
    running.execute(str(version.run_id))
    version.refresh_from_db()
    assert version.state == "ready", version.run and version.run.error
    return version


@pytest.mark.parametrize("kind", list(TaskKind))
def test_every_target_is_made_again_byte_by_byte(cast: Cast, kind: TaskKind) -> None:
    house(cast, kind)
    given = rows(kind)
    land(cast.project, *given, source="Here")
    versions = [made(cast, target=target.name) for target in freezing.offered(cast.project)]
    assert len(versions) > 5 and sum(version.counts["total"] for version in versions) > 50
    unsettle(cast, given)
    for version in versions:
        told = checked(cast, version)
        assert told["same"] and told["files_ok"], (version.target, told["differing"])
        assert "items_as_now" not in told
    later = made(cast, target="annotations")
    first = next(version for version in versions if version.target == "annotations")
    assert later.hash != first.hash and checked(cast, later)["same"]


@pytest.mark.parametrize(
    "options",
    [
        {"split_by": "source", "splits": {"train": 0.5, "test": 0.5}},
        {"split_by": "cluster", "splits": {"train": 0.5, "test": 0.5}},
        {"filters": {"where": [{"field": "item.metadata.topic", "op": "eq", "value": "sky"}]}},
        {"filters": {"where": [{"field": "item.source", "op": "eq", "value": "Here"}]}},
        {"filters": {"balance": {"by": "item.metadata.topic"}}},
        {"filters": {"where": [{"field": "prompt.chars", "op": "gt", "value": 20}], "caps": {"rows": 5}}},
    ],
)
def test_what_is_selected_and_split_by_is_read_as_it_was(cast: Cast, options: dict[str, Any]) -> None:
    house(cast, TaskKind.PREFERENCE)
    given = rows(TaskKind.PREFERENCE)
    land(cast.project, *given, source="Here")
    version = made(cast, **options)
    assert version.counts["total"] > 4
    unsettle(cast, given)
    assert checked(cast, version)["same"]
    assert made(cast, **options).hash != version.hash


def test_steps_and_their_boundaries_too(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE, unit="step", questions=[STEP])
    steps = [{"question": "step", "answer": "good", "start": 0, "end": 6}]
    given = [item(f"i{n}", *TEXTS, answers=spoken(3, verdicts=steps)) for n in range(6)]
    land(cast.project, *given)
    version = made(cast, target="trl-stepwise")
    unsettle(cast, given)
    assert checked(cast, version)["same"]


def test_a_version_under_way_does_not_see_what_changes_meanwhile(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither before its run begins nor between its statements."""
    house(cast, TaskKind.PREFERENCE)
    given = rows(TaskKind.PREFERENCE)
    land(cast.project, *given)
    calm = made(cast, target="rewardbench")
    version = freezing.request_version(project=cast.project, dataset_name="prefs", target="rewardbench", user=None)
    land(cast.project, given[0] | {"prompt": "Before it begins?"})
    real = making.write_companions

    def meanwhile(*args: Any) -> Any:
        unsettle(cast, given)
        return real(*args)

    monkeypatch.setattr(making, "write_companions", meanwhile)
    running.execute(str(version.run_id))
    version.refresh_from_db()
    assert version.state == "ready" and version.hash == calm.hash


def test_changes_are_looked_up_and_not_loaded(cast: Cast, django_assert_max_num_queries: Any) -> None:
    """The number of statements does not grow with the changes."""
    house(cast, TaskKind.PREFERENCE)
    given = rows(TaskKind.PREFERENCE)
    land(cast.project, *given)
    version = made(cast)
    for n in range(3):
        unsettle(cast, [one | {"metadata": {"n": n}} for one in given])
    assert Change.objects.count() > 15
    with django_assert_max_num_queries(20):
        list(freezing.sources.candidates(selection_of(version)))


def test_what_is_kept_tells_who_when_and_what(cast: Cast) -> None:
    house(cast, TaskKind.PREFERENCE)
    given = rows(TaskKind.PREFERENCE, 2)
    land(cast.project, *given)
    land(cast.project, given[0] | {"votes": votes(3, 3, 3)})
    assert not Change.objects.exists(), "another vote is no correction of the item"
    before = last_change(cast.project)
    land(cast.project, given[0] | {"prompt": "Corrected?", "metadata": {"a": 1}}, source="There")
    (change,) = Change.objects.all()
    assert change.fields == ["prompt", "metadata", "source"] and change.kind == "corrected"
    assert change.run is not None and change.run.method == "import"
    assert len(change.before["responses"]) == 3 and len(change.before["pairs"]) == 3
    assert before == 0 < last_change(cast.project) == change.pk


def read(project: Project, last: int | None, columns: str, table: str) -> list[tuple[Any, ...]]:
    return Past(project.pk, last).rows(f"SELECT {columns} FROM curation_{table} x ORDER BY x.id", [])


def test_tables_as_they_were(cast: Cast) -> None:
    """Step by step: each change takes nothing from what was before it."""
    project = cast.project
    land(project, item("q", "A", "B", prompt="One?"))
    steps: list[tuple[int, list[Any]]] = []

    def now(last: int | None) -> list[Any]:
        items = read(project, last, "x.prompt, x.metadata, x.source_id, x.deleted_at IS NULL", "item")
        told = [(orjson.loads(row[0]), orjson.loads(row[1]), row[2], bool(row[3])) for row in items]
        found = read(project, last, "x.id, x.position, x.deleted_at IS NULL", "response")
        there, live = [row[0] for row in found], [row[:2] for row in found if row[2]]
        pairs = [pk for pk, is_live in read(project, last, "x.id, x.deleted_at IS NULL", "pair") if is_live]
        return [told, there, live, pairs]

    def keep() -> None:
        steps.append((last_change(project), now(None)))

    keep()
    for given in (item("q", "A", "B", prompt="Two?"), item("q", "C", "A", prompt="Two?", metadata={"a": [1.5, None]})):
        land(project, given, source="S" if "metadata" in given else "")
        keep()
    removing.remove(project=project, ids=Item.objects.values_list("pk", flat=True), user=None)
    keep()
    land(project, item("q", "B", "A", "C", prompt="Three?"))
    keep()
    assert Source.objects.count() == 1 and Response.objects.count() == 3 and len({str(step) for step in steps}) == 5
    for last, was in steps:
        assert now(last) == was


def test_what_went_without_a_word_is_named(cast: Cast) -> None:
    """By hand in the database: the version is as it was, and a rebuild says what is missing."""
    house(cast, TaskKind.PREFERENCE)
    land(cast.project, *rows(TaskKind.PREFERENCE))
    version = made(cast)
    Item.objects.filter(external_id="i1").update(deleted_at=timezone.now())
    told = checked(cast, version)
    assert not told["same"] and told["changed_items"] == ["i1"]
