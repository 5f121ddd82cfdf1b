"""Pictures on the annotation screen: painted, in their places before they arrive, and looked at closely by keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from curation.models import Image, Project
from curation.services import importing, projects
from tests.browser.desk import SETTLED, decide, moves_on_from, press, task_of
from tests.browser.test_accessibility import NARROW, faults_of, in_every_look, sideways
from tests.cast import Cast
from tests.imports import bring, file_of, row
from tests.pictures import png, uri

PAINTED = "images => images.map(image => [image.complete && image.naturalWidth, image.naturalHeight])"
BOXES = "images => images.map(image => image.getBoundingClientRect()).map(box => [box.width, box.height])"
CANVAS = """([type, width, height]) => {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const drawn = canvas.getContext('2d');
  drawn.fillStyle = 'teal';
  drawn.fillRect(0, 0, width / 2, height / 2);
  return canvas.toDataURL(type);
}"""


def picture(width: int, height: int, shade: int, alt: str = "") -> dict[str, Any]:
    return {"type": "image", "image": uri(png(width, height, shade)), "alt": alt}


def pictured(project: Project, count: int = 3) -> None:
    """Tasks with a picture to look at and a picture in each response."""
    for n in range(count):
        prompt = [{"role": "user", "content": [{"type": "text", "text": "Which is better?"}, picture(90, 60, 9 + n)]}]
        first = {"text": "This one.", "images": [picture(320, 200, 100 + n, "A grey field")]}
        second = {"image": picture(200, 320, 150 + n, "A lighter field")}
        bring(project, row(f"q{n}", first, second, prompt=prompt))


@pytest.fixture
def page(crew: Cast, sign_in: Any) -> Page:
    pictured(crew.project)
    made = sign_in(crew.ann).new_page()
    made.goto(f"/projects/{crew.project.slug}/annotate/")
    made.wait_for_selector("[data-task]")
    return made


def frames(page: Page) -> Any:
    return page.locator(".zoom__frame img")


def scales(page: Page) -> list[str]:
    return frames(page).evaluate_all("all => all.map(one => one.style.transform)")


def test_pictures_are_painted_in_their_places(page: Page) -> None:
    thumbs = page.locator("#stage [data-picture] img")
    expect(thumbs).to_have_count(3)
    page.wait_for_function("() => [...document.querySelectorAll('#stage img')].every(one => one.naturalWidth)")
    assert thumbs.evaluate_all(PAINTED)[0] == [90, 60]
    assert sorted(thumbs.evaluate_all(PAINTED)[1:]) == [[200, 320], [320, 200]]
    assert sorted(thumbs.evaluate_all("all => all.map(one => one.alt)")) == [
        "A grey field", "A lighter field", "Picture without a description",
    ]  # fmt: skip


def test_nothing_jumps_when_a_picture_arrives(crew: Cast, sign_in: Any) -> None:
    pictured(crew.project, 1)
    page = sign_in(crew.ann).new_page()
    waiting: list[Any] = []
    page.route("**/images/*", lambda route: waiting.append(route))
    page.goto(f"/projects/{crew.project.slug}/annotate/", wait_until="domcontentloaded")
    thumbs = page.locator("#stage [data-picture] img")
    expect(thumbs).to_have_count(3)
    page.wait_for_timeout(SETTLED)
    before = thumbs.evaluate_all(BOXES)
    assert len(waiting) == 3 and all(width > 50 and height > 50 for width, height in before)
    for route in waiting:
        route.continue_()
    page.wait_for_function("() => [...document.querySelectorAll('#stage img')].every(one => one.naturalWidth)")
    assert thumbs.evaluate_all(BOXES) == before


def test_by_keyboard_closely_and_back_and_on(page: Page) -> None:
    dialog = page.get_by_role("dialog", name="Pictures, closely")
    thumb = page.locator(".response [data-picture]").first
    thumb.focus()
    for opens in ("z", "Enter"):
        page.keyboard.press(opens)
        expect(dialog).to_be_visible()
        expect(frames(page)).to_have_count(2)
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(thumb).to_be_focused()
    task = press(page, "1")
    moves_on_from(page, task)
    press(page, "z")
    expect(dialog).to_be_visible()
    page.keyboard.press("2")
    page.wait_for_timeout(SETTLED)
    assert task_of(page) != task and dialog.is_visible(), "no decision through the window"
    page.keyboard.press("z")
    expect(dialog).to_be_hidden()
    decide(page, "2")


def test_both_pictures_of_a_pair_are_zoomed_and_moved_as_one(page: Page) -> None:
    page.locator(".response [data-picture]").first.click()
    expect(page.locator(".zoom__pane figcaption").first).to_contain_text("Response 1")
    for key in ("+", "+", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    one, other = scales(page)
    assert one == other and "scale(1.96)" in one and "translate(-" in one
    expect(page.locator(".zoom__said")).to_contain_text("196 %")
    box = page.locator(".zoom__frame").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.wheel(0, -300)
    assert len(set(scales(page))) == 1 and "scale(1.96)" not in scales(page)[0]
    before = scales(page)[0]
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 90, steps=4)
    page.mouse.up()
    assert scales(page)[0] != before and len(set(scales(page))) == 1
    page.keyboard.press("0")
    assert set(scales(page)) == {"translate(0%, 0%) scale(1)"}
    page.keyboard.press("p")
    expect(frames(page)).to_have_count(1)
    expect(page.locator(".zoom__pane figcaption")).to_have_text("Prompt")
    page.keyboard.press("n")
    expect(frames(page)).to_have_count(2)


def test_pictures_and_their_window_in_every_look(page: Page, live_server: Any) -> None:
    faults = faults_of(page, live_server.url)
    page.emulate_media(reduced_motion="reduce")
    wrong = in_every_look(page) + sideways(page)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.keyboard.press("z")
    expect(frames(page)).to_have_count(2)
    wrong += in_every_look(page) + sideways(page)
    page.set_viewport_size(NARROW)
    boxes = page.locator(".zoom__frame").evaluate_all("all => all.map(one => one.getBoundingClientRect().toJSON())")
    assert all(box["width"] > 340 and box["height"] > 200 and box["right"] <= 390 for box in boxes)
    assert not wrong + faults


def test_without_pictures_the_key_means_nothing(desk: Any) -> None:
    page = desk(2)
    press(page, "z")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_text("Take the last step back")).to_be_visible()
    expect(page.get_by_text("Look at the pictures closely")).to_have_count(0)


def test_what_encoders_make_is_known_by_its_type_and_size(crew: Cast, sign_in: Any) -> None:
    page = sign_in(crew.ann).new_page()
    page.goto("/projects/")
    sizes = {"image/png": (37, 23), "image/jpeg": (41, 29), "image/webp": (53, 31)}
    made = [page.evaluate(CANVAS, [kind, *size]) for kind, size in sizes.items()]
    bring(crew.project, row("q", *made))
    assert {one.type: (one.width, one.height) for one in Image.objects.all()} == sizes


def test_pictures_of_a_response_that_is_critiqued(crew: Cast, sign_in: Any) -> None:
    """Where there is a margin, offsets and keys of critiques stay what they were."""
    made = projects.create_project(slug="seen", name="Seen", user=crew.olga, preset="span-critique")
    response = {"text": "A grey field.", "images": [picture(320, 200, 100, "grey")]}
    importing.import_now(project=made, user=None, path=file_of([row("q", response)]))
    page = sign_in(crew.olga).new_page()
    page.goto("/projects/seen/annotate/")
    page.wait_for_selector("[data-work]")
    page.keyboard.press("z")
    expect(frames(page)).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    expect(page.locator("pre.raw")).to_have_text("A grey field.")
    expect(page.locator(".response [data-picture] img")).to_be_visible()
