"""The page of an item in a real browser: what is drawn where, brought out by pointer, keyboard and click."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from curation.models import Item, TaskKind
from tests.cast import Cast
from tests.test_suggestions import ask, item, land, landed, wrong

TEXT = (
    "The sky is **green** at night.\n\n"
    + "Much more is to be said of it. " * 120
    + "\n\nSee [this](https://example.org/far)."
)
DRAWN = """() => Object.fromEntries(
  [...CSS.highlights].map(([name, ranges]) => [name, [...ranges].map(String).join('')])
)"""


def said(quote: str, **more: Any) -> dict[str, Any]:
    start = TEXT.index(quote)
    return {"start": start, "end": start + len(quote), "quote": quote, **more}


@pytest.fixture
def sky(crew: Cast, sign_in: Any) -> Page:
    ask(crew.project, TaskKind.RESPONSE)
    person = {
        "annotator": "w1",
        "critiques": [
            said("sky is **green**", type="wrong", polarity=-1, comment="No."),
            said("The sky is", type="vague", polarity=1),
            said("https://example.org/far", polarity=-1),
            said("See", polarity=-1),
        ],
    }
    context = {"documents": [{"title": "Atlas", "text": "It is blue."}]}
    land(crew.project, item("sky", TEXT, answers=[person], context=context))
    landed(crew, {"item": "sky", "critiques": [wrong("night", evidence={"document": 0, "quote": "blue"})]})
    page: Page = sign_in(crew.vic, reduced_motion="reduce").new_page()
    page.goto(f"/projects/{crew.project.slug}/items/{Item.objects.get().pk}/")
    page.wait_for_function("CSS.highlights.size > 0")
    return page


def test_spans_are_drawn_by_colour_line_and_level(sky: Page) -> None:
    assert sky.evaluate(DRAWN) == {
        "mark-red-poor-0": "See",
        "mark-red-poor-1": "sky is green",
        "mark-orange-good-0": "The sky is",
        "mark-red-neutral-0": "night",
    }
    rules = sky.evaluate("document.adoptedStyleSheets.flatMap((s) => [...s.cssRules].map((r) => r.cssText)).join()")
    assert "wavy" in rules and "dotted" in rules


def test_what_the_rendered_text_does_not_show_is_said(sky: Page) -> None:
    expect(sky.get_by_text("Stands where the rendered text shows nothing")).to_have_count(5)
    expect(sky.locator("[data-unseen]:visible")).to_have_count(1)
    sky.get_by_role("link", name="As it stands").click()
    sky.wait_for_function("CSS.highlights.size > 0")
    expect(sky.locator("[data-unseen]:visible")).to_have_count(0)


def test_an_entry_brings_out_its_span_by_pointer_and_by_keyboard(sky: Page) -> None:
    sky.get_by_role("button", name="night").hover()
    assert sky.evaluate(DRAWN)["mark-current"] == "night"
    sky.get_by_role("button", name="sky is").first.focus()
    assert sky.evaluate(DRAWN)["mark-current"] != "night"
    sky.get_by_role("heading", name="Prompt").hover()
    sky.evaluate("document.activeElement.blur()")


def test_evidence_is_brought_out_in_its_document(sky: Page) -> None:
    sky.get_by_role("button", name="night").focus()
    assert sky.evaluate(DRAWN)["mark-evidence"] == "blue"


def test_a_click_leads_to_the_span_and_from_the_span_to_its_entry(sky: Page) -> None:
    entry = sky.get_by_role("button", name="See", exact=True)
    entry.focus()
    sky.keyboard.press("Enter")
    link = sky.get_by_role("link", name="this", exact=True)
    expect(link).to_be_in_viewport()
    sky.evaluate("scrollTo(0, 0)")
    box = sky.get_by_text("at night.").first.bounding_box()
    assert box
    sky.evaluate("document.activeElement.blur()")
    sky.locator(".judged__text strong").first.click()
    expect(sky.get_by_role("button", name="sky is **green**")).to_be_focused()


def test_only_some_annotators_are_shown(sky: Page) -> None:
    sky.get_by_role("checkbox", name="w1").uncheck()
    assert sky.evaluate(DRAWN) == {"mark-red-neutral-0": "night"}
    expect(sky.get_by_role("button", name="See", exact=True)).to_be_hidden()
    sky.get_by_role("checkbox", name="w1").check()
    expect(sky.get_by_role("button", name="See", exact=True)).to_be_visible()
    assert len(sky.evaluate(DRAWN)) >= 3
