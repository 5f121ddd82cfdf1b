"""Browsing items: pages by key, filters, and one item with what everybody said of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from curation.models import Annotation, Critique, Item, Response, Score, TaskKind
from curation.services import browsing
from curation.views import items
from tests.cast import Cast, make_pairs
from tests.imports import bring, row
from tests.judging import model
from tests.pictures import gif, png, uri
from tests.test_critiques_api import PERSON, review
from tests.test_freezing import answer_all
from tests.test_suggestions import SEA, ask, item, land, landed, wrong

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
def sky(cast: Cast) -> Cast:
    ask(cast.project, TaskKind.RESPONSE)
    context = {"documents": [{"title": "Atlas", "text": "Water is **blue**."}], "reference": "Blue."}
    land(cast.project, item("sky", answers=[PERSON | {"response": 1}], context=context), item("sea", SEA))
    landed(cast, {"item": "sky", "response": 0, "score": 0.5, "critiques": [wrong(edit="The sky is blue.")]})
    return cast


def look(cast: Cast, path: str = "", who: str = "vic", status: int = 200) -> str:
    client = Client()
    client.force_login(cast.people[who], backend="django.contrib.auth.backends.ModelBackend")
    response = client.get(f"/projects/{cast.project.slug}/items/{path}")
    assert response.status_code == status, response.content[:500]
    return response.content.decode()


def page_of(cast: Cast, name: str = "sky", query: str = "") -> str:
    return look(cast, f"{Item.objects.get(project=cast.project, external_id=name).pk}/{query}")


def listed(page: str) -> list[str]:
    return re.findall(r'class="items__id"><a href="[^"]*">([^<]*)</a>', page)


def pages(cast: Cast, query: str) -> list[list[str]]:
    """Every page of the list, by its `Next page`."""
    found, turn = [], query
    while turn is not None:
        page = look(cast, turn)
        found.append(listed(page))
        [*_, following] = [None, *re.findall(r'href="(\?[^"]*after=[^"]*)"', page)]
        turn = following and following.replace("&amp;", "&")
        assert len(found) < 30
    return found


def test_the_list_turns_its_pages_by_key_in_both_orders(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "SHOWN", 3)
    make_pairs(cast.project, 7)
    names = [f"item-{n}" for n in range(7)]
    assert sum(pages(cast, "?order=oldest"), []) == names
    turned = pages(cast, "")
    assert [len(page) for page in turned] == [3, 3, 1] and sum(turned, []) == names[::-1]
    Item.objects.filter(external_id="item-6").update(deleted_at="2026-01-01T00:00:00Z")
    assert pages(cast, "")[0] == ["item-5", "item-4", "item-3"]


def test_an_id_is_found_by_its_beginning(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "SHOWN", 2)
    make_pairs(cast.project, 12)
    assert sum(pages(cast, "?q=item-1"), []) == ["item-1", "item-10", "item-11"]
    assert pages(cast, "?q=em-1") == [[]] and "None found" in look(cast, "?q=em-1")
    assert pages(cast, "?q=item-%25") == [[]]


def test_only_those_with_critiques(sky: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    land(sky.project, *(item(f"n{n}", f"This is text {n}.") for n in range(25)))
    landed(sky, {"item": "n7", "critiques": [wrong("This")]}, {"item": "n8"})
    assert pages(sky, "?critiques=yes") == [["n7", "sky"]]
    monkeypatch.setattr(browsing, "LOOKED_AT", 10)
    turned = pages(sky, "?critiques=yes&order=oldest")
    assert sum(turned, []) == ["sky", "n7"] and len(turned) == 3
    assert "Look further" in look(sky, "?critiques=yes")


def test_a_row_tells_how_much_was_said(sky: Cast) -> None:
    page = " ".join(look(sky, "?q=sky").split())
    cells = re.findall(r'<td class="num[^"]*">(.*?)</td>', page)
    assert [re.sub(r"<[^>]*>", "", cell).strip() for cell in cells] == ["2", "1 + 1 by models", "3"]
    assert "What of sky?" in page


def test_the_list_takes_any_address(cast: Cast) -> None:
    assert "No items yet" in look(cast)
    make_pairs(cast.project, 1)
    for query in ("?after=x", f"?after={9**40}", "?after=-1", "?q=%00", "?order=up", "?q=a&after=%F0%9F%92%A9"):
        look(cast, query)
    assert "The end" in look(cast, "?after=1")


def test_the_list_asks_no_more_for_more(sky: Cast, django_assert_max_num_queries: Any) -> None:
    land(sky.project, *(item(f"n{n}", f"This is text {n}.", answers=[PERSON | {"response": 0}]) for n in range(49)))
    with django_assert_max_num_queries(32):
        assert len(listed(look(sky))) == 50
    with django_assert_max_num_queries(34):
        look(sky, "?critiques=yes")


def test_an_item_shows_everything_that_was_said(sky: Cast) -> None:
    page = page_of(sky)
    for shown in (
        "What of sky?", "Atlas", "<strong><span data-o=\"11\">blue</span></strong>", "Other context", "w1",
        "Response 2", "critic", "version 1", "score 0.5", "It is blue.", "<del>The sky is green.</del>",
        "<ins>The sky is blue.</ins>", "Is it correct?", "minor", "poor", "good",
    ):  # fmt: skip
        assert shown in page, shown
    span = re.search(r'data-critique="\d+"[^>]*data-machine data-span data-on="0.0" data-start="0" data-end="17"', page)
    assert span and page.count("data-critique=") == 3


def test_lines_are_explained_where_something_is_marked(sky: Cast) -> None:
    assert "by a model or program" in page_of(sky)


def test_a_pair_without_critiques_explains_no_lines(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    answer_all(cast, "ann", 1)
    bare = page_of(cast, "item-0")
    assert "Response 2 better" in bare
    assert "by a model or program" not in bare and "No critique or verdict of it." in bare


def test_the_source_can_be_seen_as_it_stands(sky: Cast) -> None:
    assert 'class="raw"' in page_of(sky, query="?source=1") and 'class="raw"' not in page_of(sky)


def test_what_models_and_people_wrote_is_only_ever_text(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE)
    said = {
        "annotator": EVIL,
        "response": 0,
        "rationale": EVIL,
        "critiques": [
            {"start": 0, "end": len(EVIL), "comment": EVIL, "edit": EVIL, "type": EVIL[:60], "severity": EVIL[:60]},
            {"comment": "x", "evidence": {"url": 'https://example.org/"><script>'}},
        ],
        "verdicts": [{"question": EVIL[:60], "answer": EVIL, "comment": EVIL}],
    }
    context = {"documents": [{"title": EVIL, "text": EVIL}], "note": EVIL}
    one = {"text": EVIL, "model": EVIL}
    land(
        cast.project,
        {
            "id": EVIL,
            "prompt": EVIL,
            "responses": [one],
            "context": context,
            "metadata": {"n": EVIL},
            "answers": [said],
        },
    )
    assert Critique.objects.count() == 2
    for page in (page_of(cast, EVIL), page_of(cast, EVIL, "?source=1"), look(cast)):
        assert not re.search(r"<img|<script>|<script(?![^>]*\bsrc=)", page), re.search(r".{80}<img|.{80}<script>", page)
        assert "alert(1)" in page


def test_a_span_whose_text_changed_is_listed_as_such(sky: Cast) -> None:
    answer = Annotation.objects.get(annotator__name="w1")
    for start, end, quote in ((0, 3, "Not"), (2, 900, "far out"), (0, 3, "The")):
        Critique.objects.create(
            annotation=answer,
            response=Response.objects.get(item__external_id="sky", position=1),
            start=start,
            end=end,
            quote=quote,
        )
    page = page_of(sky)
    assert page.count("cannot be drawn") == 2 and "far out" in page
    assert page.count("data-critique=") == 6


def test_a_response_that_was_put_away_is_there_while_something_is_said_of_it(sky: Cast) -> None:
    land(sky.project, item("sky", "Another text.", "And one more."))
    page = page_of(sky)
    assert page.count("No longer among the responses") == 2 and page.count("data-critique=") == 3
    assert page.index("Another text.") < page.index("No longer among the responses")


def test_an_earlier_text_that_was_compared_is_named_and_shown(cast: Cast) -> None:
    ask(cast.project, TaskKind.PREFERENCE)
    land(cast.project, item("sky", "Blue.", "Green.", votes=[{"annotator": "w1", "value": -1}]))
    bring(cast.project, row("sky", "Blue!", "Green."))
    page = " ".join(page_of(cast).split())
    assert "earlier text of Response 1 better" in page and "put away" not in page
    assert '<span class="strong">Earlier text of Response 1</span>' in page and "Blue." in page
    assert "Earlier text of Response 1 is better" in page
    assert "<td>Earlier text of Response 1 and Response 2</td>" in page
    bring(cast.project, row("sky", "Cyan.", "Green."))
    assert "earlier text of Response 1 better" in page_of(cast)


def test_a_response_that_nothing_took_the_place_of_is_just_put_away(cast: Cast) -> None:
    ask(cast.project, TaskKind.PREFERENCE)
    land(cast.project, item("sky", "Blue.", "Green.", "Red.", votes=[{"annotator": "w1", "value": -1}]))
    bring(cast.project, row("sky", "Green.", "Red."))
    assert "a response put away better" in page_of(cast) and "Blue." in page_of(cast)


def test_a_response_shows_its_scores(sky: Cast) -> None:
    one, other = Response.objects.filter(item__external_id="sky").order_by("position")
    liked, harm = model("liked", number=2), model("harm", kind="cost")
    for response, judge, given in ((one, liked, {"value": -1.23456, "spread": 0.0678}), (one, harm, {"value": 0.5}), (
        other, liked, {"value": 12.0, "truncated": True})):  # fmt: skip
        Score.objects.create(response=response, model=judge, **given)
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page_of(sky)))
    assert "liked v2 \u22121.23 ± 0.0678" in page
    assert "harm v1 0.5 cost, higher is worse" in page and "liked v2 12 did not see all of it" in page
    with CaptureQueriesContext(connection) as asked:
        page_of(sky)
    assert len([one for one in asked if 'FROM "curation_score"' in one["sql"]]) == 1
    assert "liked v2" not in look(sky, f"{one.item_id}/", "ann", status=403)


def test_a_review_names_what_it_reviewed(sky: Cast) -> None:
    source = Critique.objects.get(annotation__annotator__name="critic")
    review(sky.project, source, "rejected", comment="It is blue.")
    page = page_of(sky)
    assert re.search(r'Rejected from <span class="strong">critic</span> after 900 ms', page)
    assert 'class="critique critique--rejected"' in page


def test_preferences_and_rankings_in_words(cast: Cast) -> None:
    ask(cast.project, TaskKind.PREFERENCE)
    land(cast.project, item("sky", votes=[{"annotator": "w1", "value": 2}]))
    landed(
        cast,
        {"item": "sky", "rationale": "So.", "preferences": [{"axis": "overall", "value": -1, "probability": 0.25}]},
    )
    page = page_of(cast)
    for shown in ("Response 2 much better", "Response 1 better", "p = 0.25", "So.", "Response 1 and Response 2"):
        assert shown in page, shown


def test_places_of_a_ranking(cast: Cast) -> None:
    ask(cast.project, TaskKind.RANKING)
    land(cast.project, item("sky", "one", "two", "three"))
    landed(cast, {"item": "sky", "ranks": [2, 1, 3]})
    page = re.sub(r"<[^>]*>", "", page_of(cast))
    assert re.search(r"1\. Response 2\s*2\. Response 1\s*3\. Response 3", page)


def test_an_item_of_another_project_is_not_there(sky: Cast) -> None:
    from tests.cast import make_project

    make_pairs(make_project("other"), 1)
    look(sky, f"{Item.objects.get(external_id='item-0').pk}/", status=404)
    look(sky, f"{2**70}/", status=404)
    sea = Item.objects.get(external_id="sea")
    look(sky, f"{sea.pk}/", who="ann", status=403)
    Item.objects.filter(pk=sea.pk).update(deleted_at="2026-01-01T00:00:00Z")
    assert "Removed, 2026-01-01" in look(sky, f"{sea.pk}/"), "one that was taken out says so"


def test_an_item_is_read_in_few_statements(sky: Cast, django_assert_max_num_queries: Any) -> None:
    people = [PERSON | {"annotator": f"w{n}", "response": 0} for n in range(40)]
    land(sky.project, item("many", "This is a text.", "This is another.", answers=people))
    with django_assert_max_num_queries(40):
        page = page_of(sky, "many")
    assert page.count("data-critique=") == 80


def test_only_the_latest_answers_are_shown_of_very_many(sky: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsing, "MOST_ANSWERS", 1)
    page = page_of(sky)
    assert "there are more" in page and page.count("data-critique=") == 1 and "critic" in page


def test_pictures_of_a_prompt_and_a_response_are_shown(cast: Cast) -> None:
    images = [{"image": uri(png(6, 4)), "alt": "a chart"}]
    parts = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": uri(png(3, 2))}}]
    shown = [{"role": "assistant", "content": [{"type": "image", "image": uri(gif(5, 5)), "alt": "a drawing"}]}]
    prompt = [{"role": "user", "content": parts}]
    given = row("pictured", prompt=prompt, responses=[{"messages": shown}, "words"], context={"images": images})
    bring(cast.project, given)
    page = page_of(cast, "pictured")
    assert page.count("<img") == 3 and 'alt="a drawing"' in page and 'alt="a chart"' in page
    assert page.count(f"/projects/{cast.project.slug}/images/") == 6


def test_no_statement_of_an_items_page_reads_every_task(cast: Cast, django_assert_max_num_queries: Any) -> None:
    """As a join of tasks with "or" between columns of several tables does."""
    [task] = make_pairs(cast.project, 1)
    assert task.pair is not None
    with django_assert_max_num_queries(50) as asked:
        look(cast, f"{task.pair.item_id}/")
    about_tasks = [one["sql"] for one in asked.captured_queries if 'FROM "curation_task"' in one["sql"]]
    assert about_tasks and not [sql for sql in about_tasks if "JOIN" in sql and " OR " in sql]
