"""Answers under way, as the server keeps them beside the browser; and the keys that somebody has changed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from curation.models import Draft, TaskKind
from curation.services import drafting
from tests.cast import Cast, make_pairs
from tests.test_people import browser
from tests.test_suggestions import ask, item, land


@pytest.fixture
def sky(cast: Cast) -> Cast:
    ask(cast.project, TaskKind.RESPONSE)
    land(cast.project, item("sky"))
    return cast


def root(cast: Cast) -> str:
    return f"/projects/{cast.project.slug}/annotate/"


def taken(cast: Cast, name: str = "ann") -> int:
    """The task in somebody's hands."""
    page = browser(cast.people[name]).post(f"{root(cast)}next/").content.decode()
    return int(page.split('data-task="')[1].split('"')[0])


def keep(cast: Cast, task: object, body: bytes, name: str = "ann") -> int:
    client = browser(cast.people[name])
    address = f"{root(cast)}tasks/{task}/draft/"
    return int(client.post(address, body, content_type="application/json").status_code)


def test_a_draft_is_kept_replaced_and_forgotten(sky: Cast) -> None:
    task = taken(sky)
    assert keep(sky, task, b'{"ranks": [1]}') == 204
    assert keep(sky, task, b'{"ranks": [2]}') == 204
    kept = Draft.objects.get()
    assert kept.body == {"ranks": [2]} and kept.annotator.user == sky.ann
    found = drafting.of(annotator_id=kept.annotator_id, task_id=task)
    assert found == {"body": {"ranks": [2]}, "saved": int(kept.saved_at.timestamp() * 1000)}
    assert keep(sky, task, b"null") == 204 and not Draft.objects.exists()
    assert keep(sky, task, b"") == 204
    assert drafting.of(annotator_id=kept.annotator_id, task_id=task) is None


def test_the_screen_brings_the_own_draft_and_nobody_elses(sky: Cast) -> None:
    task = taken(sky)
    keep(sky, task, b'{"critiques": "mine alone"}')
    sky.project.tasks.update(overlap=2)
    assert taken(sky, "bob") == task
    assert "mine alone" in browser(sky.ann).get(root(sky)).content.decode()
    assert "mine alone" in browser(sky.ann).get(f"{root(sky)}tasks/{task}/").content.decode()
    assert "mine alone" not in browser(sky.bob).get(root(sky)).content.decode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422),
        (b"\xff", 422),
        (rb'"\u0000"', 422),
        (rb'"\\\u0000"', 422),
        (b"[" + b"0," * 2**20 + b"0]", 422),
        (b"7", 204),
        (rb'"\\u0000 in words"', 204),
    ],
)
def test_what_is_no_draft_is_refused(sky: Cast, body: bytes, status: int) -> None:
    assert keep(sky, taken(sky), body) == status
    assert Draft.objects.exists() == (status == 204)


def test_a_draft_of_somebody_elses_task_is_not_found(sky: Cast) -> None:
    task = taken(sky)
    assert (
        keep(sky, task, b"{}", "bob") == 404 and keep(sky, 999_999, b"{}") == 404 and keep(sky, "9" * 30, b"{}") == 404
    )
    assert not Draft.objects.exists()


def test_a_draft_goes_with_its_answer(sky: Cast) -> None:
    from tests.conftest import calling

    task = taken(sky)
    keep(sky, task, b'{"ranks": [1]}')
    said = {"verdicts": [{"question": "correct", "answer": True}]}
    made = calling(sky.ann).post(f"/api/v1/tasks/{task}/submit", said, format="json", headers={"idempotency-key": "k"})
    assert made.status_code == 200 and not Draft.objects.exists()


# --- Keys that somebody has changed -------------------------------------------------------------------


def change(cast: Cast, given: Any) -> int:
    body = given if isinstance(given, bytes) else orjson.dumps(given)
    return int(browser(cast.ann).post("/account/keys/", body, content_type="application/json").status_code)


def test_changed_keys_are_kept_and_come_with_the_screen(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    assert change(cast, {"off": True, "map": {"accept": "y", "remove": "Backspace"}}) == 204
    cast.ann.refresh_from_db()
    assert cast.ann.keys == {"off": True, "map": {"accept": "y", "remove": "Backspace"}}
    assert "&quot;accept&quot;:&quot;y&quot;" in browser(cast.ann).get(root(cast)).content.decode()
    assert "&quot;accept&quot;:&quot;y&quot;" not in browser(cast.bob).get(root(cast)).content.decode()
    assert change(cast, {"off": False}) == 204
    cast.ann.refresh_from_db()
    assert cast.ann.keys == {"off": False, "map": {}}


@pytest.mark.parametrize(
    "given",
    [
        b"{",
        b"",
        [],
        "off",
        {"map": []},
        {"map": {"accept": 1}},
        {"map": {"accept": ""}},
        {"map": {"accept": "x" * 13}},
        {"map": {"a" * 21: "x"}},
        {"map": {"accept": "\0"}},
        {"map": {f"act{n}": "x" for n in range(61)}},
        b'{"off": "' + b"x" * 20_000 + b'"}',
    ],
)
def test_what_are_no_keys_is_refused(cast: Cast, given: Any) -> None:
    assert change(cast, given) == 422
    cast.ann.refresh_from_db()
    assert cast.ann.keys == {}
