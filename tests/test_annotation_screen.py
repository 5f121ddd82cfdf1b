"""The addresses behind the annotation screen: odd numbers, whose screen it is, and that nothing is kept in a cache."""

from html import unescape
from typing import Any

import orjson
import pytest

from curation.models import Task, TaskKind
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_people import browser
from tests.test_suggestions import ask, item, land, landed, wrong

HUGE = "9" * 30


def root(cast: Cast) -> str:
    return f"/projects/{cast.project.slug}/annotate/"


def test_numbers_that_no_database_knows_are_no_fault(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    asked = browser(cast.ann).post(f"{root(cast)}next/", {"exclude": f"{HUGE},x,-1,²"})
    assert asked.status_code == 200 and f'data-task="{Task.objects.get().pk}"' in asked.content.decode()
    assert browser(cast.ann).get(f"{root(cast)}tasks/{HUGE}/").status_code == 404
    for address in (f"tasks/{HUGE}/submit", f"tasks/{HUGE}/release", f"annotations/{HUGE}/undo"):
        assert calling(cast.ann).post(f"/api/v1/{address}", {}, headers={"idempotency-key": "k"}).status_code == 404


def test_the_browser_keeps_no_page_of_it(cast: Cast) -> None:
    for address in (root(cast), f"{root(cast)}last/"):
        assert "no-store" in browser(cast.ann).get(address)["Cache-Control"]


def test_it_says_whose_screen_it_is(cast: Cast) -> None:
    scopes = [browser(user).get(f"{root(cast)}last/").json()["scope"] for user in (cast.ann, cast.bob)]
    assert len(set(scopes)) == 2
    assert f'data-scope="{scopes[0]}"' in browser(cast.ann).get(root(cast)).content.decode()


# --- What the screen of a critic knows ------------------------------------------------------------------


def work(client: Any, address: str, *, post: bool = False) -> dict[str, Any]:
    """What a fragment hands to its script."""
    page = (client.post(address) if post else client.get(address)).content.decode()
    found: dict[str, Any] = orjson.loads(unescape(page.split('data-work="')[1].split('"')[0]))
    return found


def test_a_plain_pair_comes_without_sources(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    page = browser(cast.ann).get(root(cast)).content.decode()
    assert "data-work" not in page and "data-text" not in page and "margin" not in page


def test_the_sources_of_a_response_its_sentences_and_documents(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE, unit="sentence")
    documents = {"documents": ["Plain.", {"title": "Atlas", "text": "The **sea**."}]}
    land(cast.project, item("sky", {"text": "One 👍. <b>Two</b> & more.", "model": "secret-model"}, context=documents))
    given = work(browser(cast.ann), root(cast))
    assert given["responses"] == [{"texts": ["One 👍. <b>Two</b> & more."], "units": [[0, 6], [7, 25]]}]
    assert given["documents"] == ["Plain.", "The **sea**."] and given["draft"] is None
    page = browser(cast.ann).get(root(cast)).content.decode()
    assert 'data-text="0.0"' in page and 'data-text="document.1"' in page and "2. Atlas" in page
    for hidden in ("secret-model", "&quot;sky&quot;", "external_id", "<b>Two"):
        assert hidden not in page


@pytest.mark.parametrize(
    ("help", "shown", "later"),
    [
        ({"mode": "off"}, "", ""),
        ({"mode": "shown", "holdout": 0.0}, "shown", "shown"),
        ({"mode": "shown", "holdout": 1.0}, "held_out", "held_out"),
        ({"mode": "reveal", "holdout": 0.0}, "before", "revealed"),
        ({"mode": "reveal", "holdout": 1.0}, "held_out", "held_out"),
    ],
)
def test_suggestions_are_on_the_page_only_where_they_may_be_seen(
    cast: Cast, help: dict[str, Any], shown: str, later: str
) -> None:
    ask(cast.project, TaskKind.RESPONSE, help=help)
    land(cast.project, item("sky"))
    landed(cast, {"item": "sky", "response": 0, "score": 0.5, "critiques": [wrong()]})
    client = browser(cast.ann)
    given = work(client, f"{root(cast)}next/", post=True)
    assert given["help"] == shown and len(given["suggestions"]) == (shown == "shown")
    task = Task.objects.get(assignments__annotator__user=cast.ann).pk
    assert work(client, f"{root(cast)}tasks/{task}/")["help"] == shown
    submitted(cast, task)
    given = work(client, f"{root(cast)}tasks/{task}/")
    assert given["help"] == later and len(given["suggestions"]) == (later in ("shown", "revealed"))
    for suggestion in given["suggestions"]:
        assert (suggestion["origin"], suggestion["version"], suggestion["score"]) == ("critic", "1", 0.5)
        [critique] = suggestion["critiques"]
        assert (critique["response"], critique["start"], critique["end"]) == (0, 0, 17)
        assert "review" not in critique and "response_id" not in critique


def submitted(cast: Cast, task: int, **more: Any) -> None:
    said = {"verdicts": [{"question": "correct", "answer": True}], **more}
    made = calling(cast.ann).post(f"/api/v1/tasks/{task}/submit", said, format="json", headers={"idempotency-key": "k"})
    assert made.status_code == 200, made.content


def test_the_last_answer_comes_back_as_it_was_said(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE, help={"mode": "shown", "holdout": 0.0})
    land(cast.project, item("sky"))
    landed(cast, {"item": "sky", "response": 0, "critiques": [wrong()]})
    client = browser(cast.ann)
    source = work(client, root(cast))["suggestions"][0]["critiques"][0]
    task = Task.objects.get(assignments__annotator__user=cast.ann).pk
    own = {"start": 4, "end": 7, "type": "vague", "severity": "minor", "polarity": 1, "comment": "Mine."}
    reviewed = {name: source[name] for name in ("start", "end", "type", "severity", "polarity", "comment")}
    rejected = reviewed | {"derived_from": source["id"], "rejected": True, "review_ms": 5}
    submitted(cast, task, critiques=[rejected, own], rationale="So.")
    told = client.get(f"{root(cast)}last/").json()
    assert told["task"] == task and told["rationale"] == "So."
    first, second = told["body"]["critiques"]
    assert (first["derived_from"], first["review"], first["quote"]) == (source["id"], "rejected", "The sky is green.")
    assert (second["derived_from"], second["review"], second["quote"], second["comment"]) == (None, "", "sky", "Mine.")
    [verdict] = told["body"]["verdicts"]
    assert (verdict["question"], verdict["answer"], verdict["response"]) == ("correct", True, 0)


def test_a_pair_and_its_model_are_seen_in_the_order_shown(cast: Cast) -> None:
    ask(cast.project, TaskKind.PREFERENCE, help={"mode": "shown", "holdout": 0.0})
    land(cast.project, *(item(f"n{n}", f"First {n}.", f"Second {n}.") for n in range(12)))
    tasks = {f"n{n}": Task.objects.get(pair__item__external_id=f"n{n}").pk for n in range(12)}
    quote = "First {}."
    landed(
        cast,
        *(
            {
                "task": task,
                "preferences": [{"axis": "overall", "value": -1}],
                "critiques": [wrong(quote.format(name[1:]), response=0)],
            }
            for name, task in tasks.items()
        ),
    )
    client, orders = browser(cast.ann), set()
    for task in tasks.values():
        seen = client.post(f"{root(cast)}next/", {"exclude": ",".join(str(t) for t in tasks.values() if t != task)})
        given = orjson.loads(unescape(seen.content.decode().split('data-work="')[1].split('"')[0]))
        [suggestion] = given["suggestions"]
        place = suggestion["critiques"][0]["response"]
        assert given["responses"][place]["texts"][0].startswith("First")
        assert suggestion["preferences"][0]["value"] == (-1 if place == 0 else 1)
        orders.add(place)
    assert orders == {0, 1}
