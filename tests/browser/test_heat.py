"""The heat map at the annotation screen: a key draws it, it stays on, and it tells what it is."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from curation.models import Response, TaskKind
from tests.browser.desk import decide, task_of
from tests.browser.test_accessibility import EVERY_RULE, violations
from tests.cast import Cast, make_pairs
from tests.heat import judge, model, responses_of, with_help


def value(word: str) -> float:
    return {"Answer": -1.0, "to": 0.05}.get(word, 0.5)


def open_desk(sign_in: Any, crew: Cast, **options: Any) -> Page:
    page: Page = sign_in(crew.ann, **options).new_page()
    page.goto(f"/projects/{crew.project.slug}/annotate/")
    return page


def colours(page: Page) -> dict[str, list[str]]:
    """What each colour of the heat map covers."""
    return dict(
        page.evaluate(
            """() => Object.fromEntries([...CSS.highlights].filter(([name]) => name.startsWith("heat-"))
            .map(([name, ranges]) => [name, [...ranges].map(String)]))"""
        )
    )


def test_a_key_draws_the_words_in_their_colours(sign_in: Any, crew: Cast) -> None:
    with_help(crew.project)
    make_pairs(crew.project, 2)
    judge(crew.project, model(), value=value)
    page = open_desk(sign_in, crew)
    button = page.locator("[data-act=heat]")
    assert colours(page) == {} and button.get_attribute("aria-pressed") == "false"
    page.keyboard.press("h")
    legend = page.locator("#heat")
    expect(legend).to_contain_text("spans v1")
    expect(legend).to_contain_text("a model's opinion, not a label")
    expect(button).to_have_attribute("aria-pressed", "true")
    number = page.locator(".response__body").first.inner_text().split()[-1]
    found = colours(page)
    assert found["heat-poor-3"] == ["Answer", "Answer"]
    assert set(found) == {"heat-poor-3", "heat-good-2"}
    assert sorted(found["heat-good-2"]) == sorted(["0", "1", number, number])
    page.keyboard.press("h")
    assert colours(page) == {}
    expect(legend).to_be_hidden()
    expect(button).to_have_attribute("aria-pressed", "false")


def test_it_stays_on_from_task_to_task(sign_in: Any, crew: Cast) -> None:
    with_help(crew.project)
    one, other = make_pairs(crew.project, 2)
    judge(crew.project, model(), *responses_of(one), value=value)
    page = open_desk(sign_in, crew)
    page.locator("[data-act=heat]").click()
    expect(page.locator("#heat")).to_contain_text("spans v1")
    assert decide(page, "1") == one.pk and task_of(page) == other.pk
    expect(page.locator("#heat")).to_have_text("No model has judged the words of this task.")
    assert colours(page) == {}
    page.keyboard.press("u")
    expect(page.locator("#heat")).to_contain_text("spans v1")
    assert "heat-poor-3" in colours(page)


def test_the_value_is_told_under_the_mouse_and_at_the_caret(sign_in: Any, crew: Cast) -> None:
    with_help(crew.project)
    make_pairs(crew.project, 1)
    judge(crew.project, model(), value=value)
    page = open_desk(sign_in, crew)
    page.keyboard.press("h")
    told = page.locator("#heat output")
    expect(told).to_have_text("Point at a word for its value.")
    box = page.locator("[data-text] p").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + 12, box["y"] + box["height"] / 2)
    expect(told).to_have_text("“Answer” −1.00")
    assert colours(page)["heat-here"] == ["Answer"]
    page.mouse.move(box["x"] + 12, 5)
    page.keyboard.press("c")
    expect(told).to_have_text("“Answer” −1.00")
    page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#live")).to_contain_text(", +0.50")


def test_the_source_keeps_the_heat_map(sign_in: Any, crew: Cast) -> None:
    with_help(crew.project)
    make_pairs(crew.project, 1)
    Response.objects.update(text="A **bold** claim 👩‍👩‍👧 here")
    judge(crew.project, model(), value=lambda word: -1.0 if word in ("**bold**", "👩‍👩‍👧") else 0.01)
    page = open_desk(sign_in, crew)
    page.keyboard.press("h")
    expect(page.locator("#heat output")).to_be_visible()
    assert colours(page) == {"heat-poor-3": ["bold", "👩‍👩‍👧"] * 2}
    page.keyboard.press("m")
    assert colours(page) == {"heat-poor-3": ["**bold**", "👩‍👩‍👧"] * 2}


def test_it_comes_after_the_answer_where_help_is_revealed(sign_in: Any, crew: Cast) -> None:
    with_help(crew.project, "reveal")
    make_pairs(crew.project, 1)
    judge(crew.project, model(), value=value)
    page = open_desk(sign_in, crew)
    page.keyboard.press("h")
    expect(page.locator("#heat")).to_have_text("The heat map comes after your answer.")
    assert colours(page) == {}
    page.wait_for_timeout(300)
    page.keyboard.press("1")
    expect(page.locator("#heat")).to_contain_text("spans v1")
    assert "heat-poor-3" in colours(page)


def test_without_help_there_is_no_button_and_no_key(sign_in: Any, crew: Cast) -> None:
    make_pairs(crew.project, 1)
    judge(crew.project, model(), value=value)
    page = open_desk(sign_in, crew)
    page.keyboard.press("h")
    assert page.locator("[data-act=heat], #heat").count() == 0
    page.keyboard.press("?")
    expect(page.locator("#help-acts")).not_to_contain_text("Heat map")


@pytest.mark.parametrize("kind", [TaskKind.RESPONSE, TaskKind.RANKING])
def test_single_responses_and_rankings_have_it_too(sign_in: Any, crew: Cast, kind: str) -> None:
    from tests.critics import item, land

    crew.project.kind = kind
    with_help(crew.project, questions=[{"name": "correct", "question": "Is it correct?"}])
    land(crew.project, item("sky", "Bad is this one", "Good is this two", "Bad is this three"))
    judge(crew.project, model(), value=lambda word: {"Bad": -1.0, "Good": 1.0}.get(word, 0.0))
    page = open_desk(sign_in, crew)
    page.keyboard.press("h")
    expect(page.locator("#heat output")).to_be_visible()
    found = colours(page)
    wanted = {"heat-poor-3": ["Bad", "Bad"], "heat-good-3": ["Good"]} if kind == TaskKind.RANKING else None
    assert found == wanted if wanted else sum(map(len, found.values())) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_keep_their_contrast_and_the_page_its_rules(sign_in: Any, crew: Cast, scheme: Any) -> None:
    with_help(crew.project)
    make_pairs(crew.project, 1)
    judge(crew.project, model(), value=value)
    page = open_desk(sign_in, crew, color_scheme=scheme, bypass_csp=True)
    page.keyboard.press("h")
    expect(page.locator("#heat output")).to_be_visible()
    worst = page.evaluate(CONTRAST)
    assert worst >= 4.5, worst
    assert violations(page, EVERY_RULE) == []


CONTRAST = """() => {
  const luminance = (colour) => {
    const probe = document.body.appendChild(document.createElement("span"));
    probe.style.color = colour;
    const parts = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
    probe.remove();
    const [r, g, b] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const style = getComputedStyle(document.documentElement);
  const ink = luminance(style.getPropertyValue("--ink"));
  return Math.min(...["poor", "good"].flatMap((side) => [1, 2, 3].map((n) => {
    const ground = luminance(style.getPropertyValue(`--heat-${side}-${n}`));
    return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
  })));
}"""
