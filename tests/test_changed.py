"""What became of a version's items since: counted, listed, and shown beside its rows."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from curation.models import Change, DatasetVersion, Item
from curation.services import removing
from curation.services.freezing import changed, making, members
from tests.cast import Cast
from tests.conftest import calling
from tests.imports import bring, row
from tests.test_freezing import answer_all, frozen
from workers.differing import GONE, NEW, SAME, pieces


@pytest.fixture
def version(cast: Cast) -> DatasetVersion:
    """Six items, of which five are in the version: one is a tie."""
    bring(cast.project, *(row(str(n)) for n in range(6)))
    answer_all(cast, "ann", -1, 2, 0, 1, 2, -2)
    return frozen(cast, splits={"train": 0.5, "test": 0.5})


def ids(cast: Cast, *names: str) -> list[int]:
    return list(Item.objects.filter(project=cast.project, external_id__in=names).values_list("pk", flat=True))


def counted(version: DatasetVersion) -> int:
    version.refresh_from_db()
    names = {one.item.external_id for one in changed.every(version)}
    assert len(names) == version.changed_items, "what is counted is what is listed"
    return version.changed_items


def test_items_are_counted_once_on_the_versions_that_hold_them(cast: Cast, version: DatasetVersion) -> None:
    assert counted(version) == 0
    bring(cast.project, row("0", prompt="Corrected?"), row("1"), row("2", prompt="A tie, not in it"), row("new"))
    assert counted(version) == 1
    removing.remove(project=cast.project, ids=ids(cast, "0", "3", "2", "new"), user=cast.mia, reason="not ours")
    assert counted(version) == 2
    later = frozen(cast)
    assert counted(later) == 0 and later.counts["total"] == 3
    removing.restore(project=cast.project, ids=ids(cast, "0", "3"), user=cast.mia)
    assert counted(version) == 2 and counted(later) == 0, "those are not in it"
    bring(cast.project, row("1", prompt="Also?"))
    assert counted(version) == 3 and counted(later) == 1


def test_what_changes_while_it_is_made_is_counted_too(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(cast.project, *(row(str(n)) for n in range(4)))
    answer_all(cast, "ann", -1, 2, 0, 1)
    real = making.write_companions

    def meanwhile(*args: Any) -> Any:
        bring(cast.project, row("0", prompt="Corrected?"), row("2", prompt="Corrected?"))
        bring(cast.project, row("0", prompt="And again?"))
        return real(*args)

    monkeypatch.setattr(making, "write_companions", meanwhile)
    assert counted(frozen(cast)) == 1


def test_the_api_lists_them_by_page_and_as_a_stream(
    cast: Cast, version: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(cast.project, row("0", prompt="Corrected?", metadata={"a": 1}), row("2", prompt="Not in it"))
    removing.remove(project=cast.project, ids=ids(cast, "1", "2", "3"), user=cast.mia, reason="not ours")
    removing.restore(project=cast.project, ids=ids(cast, "3"), user=cast.olga)
    monkeypatch.setattr(changed, "LOOKED_AT", 2)
    monkeypatch.setattr(changed, "AT_ONCE", 1)
    client, url = calling(cast.vic), f"/api/v1/projects/{cast.project.slug}/datasets/prefs/versions/1"
    for limit in (1, 2, 50):
        cursor, seen, turns = "", [], 0
        while cursor is not None:
            page = client.get(f"{url}/changes", {"limit": limit, "cursor": cursor}).json()
            seen += page["results"]
            cursor, turns = page["next"], turns + 1
            assert len(page["results"]) <= limit and turns < 20
        assert [(one["item"], one["kind"], one["what"], one["by"], one["reason"]) for one in seen] == [
            ("0", "corrected", ["prompt", "metadata"], None, ""),
            ("1", "deleted", [], "mia", "not ours"),
            ("3", "deleted", [], "mia", "not ours"),
            ("3", "restored", [], "olga", ""),
        ]
    stream = client.get(f"{url}/changes", HTTP_ACCEPT="application/x-ndjson")
    lines = [orjson.loads(line) for line in b"".join(stream).splitlines()]  # type: ignore[arg-type]
    assert lines == seen
    assert seen[0]["run"] and client.get(seen[0]["url"]).json()["external_id"] == "0"
    assert client.get(url).json()["changed_items"] == 3
    assert client.get(f"{url}/changes?cursor=x").status_code == 422


def test_versions_from_before_say_that_they_cannot_tell(cast: Cast, version: DatasetVersion) -> None:
    version.lineage.pop("last_change")
    version.save(update_fields=["lineage"])
    bring(cast.project, row("0", prompt="Corrected?"))
    url = f"/api/v1/projects/{cast.project.slug}/datasets/prefs/versions/1"
    assert calling(cast.vic).get(url).json()["changed_items"] is None
    for accept in ("application/json", "application/x-ndjson"):
        told = calling(cast.vic).get(f"{url}/changes", HTTP_ACCEPT=accept)
        assert told.status_code == 409 and "before changes were followed" in told.json()["detail"]
    assert "The next one will tell" in look(cast, "prefs/1/") and "Changed since" not in look(
        cast, "prefs/1/rows/test/0/"
    )


def look(cast: Cast, path: str = "") -> str:
    browser = Client()
    browser.force_login(cast.vic, backend="django.contrib.auth.backends.ModelBackend")
    response = browser.get(f"/projects/{cast.project.slug}/datasets/{path}")
    assert response.status_code == 200
    return response.content.decode()


def test_the_pages_tell_it(cast: Cast, version: DatasetVersion) -> None:
    assert "every item in it is as it was" in look(cast, "prefs/1/")
    bring(cast.project, row("0", "yes 0", "<b>new</b> words", prompt="Corrected 0?"))
    removing.remove(project=cast.project, ids=ids(cast, "1"), user=cast.mia, reason="not ours")
    page = look(cast, "prefs/1/")
    for words in ("2 items of it were corrected", "Removed", "not ours", "prompt, responses", "given.jsonl"):
        assert words in page, words
    assert "2 items</a>" in look(cast)
    split, number = place_of(version, "0")
    seen = look(cast, f"prefs/1/rows/{split}/{number}/")
    for words in (
        "Changed since",
        "<del>Question</del><ins>Corrected</ins> 0?",
        "<ins>&lt;b&gt;new&lt;/b&gt;",
        "<del>no",
    ):
        assert words in seen, words
    told = (
        calling(cast.vic)
        .get(f"/api/v1/projects/{cast.project.slug}/datasets/prefs/versions/1/rows/{split}/{number}")
        .json()
    )
    assert [one["what"] for one in told["changes"]] == [["prompt", "responses"]]
    split, number = place_of(version, "1")
    gone = look(cast, f"prefs/1/rows/{split}/{number}/")
    assert "removed since" in gone and "not ours" in gone and "<del>" not in gone
    split, number = place_of(version, "4")
    assert "Changed since" not in look(cast, f"prefs/1/rows/{split}/{number}/")


def place_of(version: DatasetVersion, name: str) -> tuple[str, int]:
    lines = (version.folder / "lineage.jsonl").read_bytes().splitlines()
    found = next(line for line in map(orjson.loads, lines) if line["item"] == name)
    return found["split"], found["row"]


@pytest.mark.parametrize("held", [[], [7], [3, 3, 1, 3, 2**40], random.Random(7).choices(range(900), k=700)])
def test_members_are_found(tmp_path: Path, held: list[int]) -> None:
    made = members.Members()
    for pk in held:
        made.add(pk)
    made.write(tmp_path)
    assert (tmp_path / members.NAME).stat().st_size == 8 * len(set(held))
    assert members.among(tmp_path, range(1000)) == set(range(1000)) & set(held)
    assert members.among(tmp_path, {2**40, 2**41, -1}) == {2**40} & set(held)


def test_of_a_version_without_the_file_nothing_is_known(tmp_path: Path) -> None:
    assert members.among(tmp_path, {1, 2}) == set()


def test_many_changes_of_others_are_walked_in_bounded_steps(
    cast: Cast, version: DatasetVersion, django_assert_max_num_queries: Any
) -> None:
    others = ids(cast, "2")
    for _ in range(3):
        removing.remove(project=cast.project, ids=others, user=None)
        removing.restore(project=cast.project, ids=others, user=None)
    with django_assert_max_num_queries(2):
        assert changed.since(version, 0, 10) == ([], None)
    assert Change.objects.count() == 6


# --- Word by word -----------------------------------------------------------------------------------------


def test_words_that_went_and_came() -> None:
    assert pieces("The sky is green.", "The sea is green.") == [
        (SAME, "The "), (GONE, "sky"), (NEW, "sea"), (SAME, " is green."),
    ]  # fmt: skip
    assert pieces("", "new") == [(NEW, "new")] and pieces("old", "") == [(GONE, "old")] and pieces("", "") == []


TEXT = st.text(st.sampled_from("ab \n.é😀"), max_size=60)


@given(TEXT, TEXT)
def test_nothing_is_lost_between_two_texts(before: str, after: str) -> None:
    found = pieces(before, after)
    assert "".join(text for kind, text in found if kind != NEW) == before
    assert "".join(text for kind, text in found if kind != GONE) == after


def test_long_texts_are_held_against_each_other_by_lines() -> None:
    lines = [f"line {n} with some words" for n in range(2000)]
    other = [*lines[:700], "another", *lines[701:1500], *lines[1600:]]
    found = pieces("\n".join(lines), "\n".join(other))
    assert (GONE, "line 700 with some words\n") in found and (NEW, "another\n") in found
    whole = pieces("x".join(map(str, range(9000))), "y".join(map(str, range(9000, 18000))))
    assert {kind for kind, _ in whole} == {GONE, NEW}
