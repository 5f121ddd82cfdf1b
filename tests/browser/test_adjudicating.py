"""The ends of a mark moved, and what it says edited, by the keyboard while adjudicating."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from curation.models import Adjudication
from curation.services import projects
from tests.browser.test_accessibility import in_every_look
from tests.cast import Cast, make_pairs
from tests.test_adjudicating import CRITIQUES, mark, speak


def test_brackets_move_the_ends_of_the_chosen_mark_by_words(crew: Cast, sign_in: Any) -> None:
    projects.revise_protocol(project=crew.project, critiques=CRITIQUES)
    crew.project.refresh_from_db()
    (task,) = make_pairs(crew.project, 1)
    mark(speak(crew, "ann", task, 1), 0, 6)
    mark(speak(crew, "bob", task, 1), 0, 8)
    page = sign_in(crew.rita).new_page()
    page.goto(f"/projects/{crew.project.slug}/adjudicate/{task.pk}/")
    told = page.locator("[data-ends]").first
    page.keyboard.press("]")
    expect(told).to_be_hidden()
    page.keyboard.press("1")
    expect(told.locator("q")).to_have_text("Answer")
    for key, words in (("]", "Answer 0"), ("]", "Answer 0 to"), ("}", "Answer 0"), ("{", "0"), ("[", "Answer 0")):
        page.keyboard.press(key)
        expect(told.locator("q")).to_have_text(words)
    page.get_by_role("button", name="End later").click()
    page.reload()
    expect(told.locator("q")).to_have_text("Answer 0 to")
    page.get_by_role("button", name="Decide and stay").click()
    expect(page.get_by_text("Decided by rita")).to_be_visible()
    made = Adjudication.objects.get().annotation.critiques.get()
    assert (made.start, made.end, made.quote) == (0, 11, "Answer 0 to")


def test_e_edits_what_is_chosen_by_keys_alone(crew: Cast, sign_in: Any) -> None:
    projects.revise_protocol(project=crew.project, critiques=CRITIQUES | {"edit": True})
    crew.project.refresh_from_db()
    (task,) = make_pairs(crew.project, 1)
    mark(speak(crew, "ann", task, 1), 0, 6)
    mark(speak(crew, "bob", task, 1), 0, 8)
    page = sign_in(crew.rita).new_page()
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"/projects/{crew.project.slug}/adjudicate/{task.pk}/")
    editor = page.get_by_role("group", name="Edit what is kept")
    page.keyboard.press("e")
    expect(editor.get_by_label("Type")).to_be_focused()
    expect(page.locator("[data-element] input:checked").first).to_be_checked()
    page.keyboard.press("Escape")
    expect(editor).to_have_count(0)
    page.keyboard.press("2")
    page.keyboard.press("k")
    page.keyboard.press("e")
    expect(editor.get_by_label("Comment")).to_have_value("wrong here")
    expect(editor.get_by_label("Answer")).to_be_hidden()
    page.keyboard.type("v")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+a")
    page.keyboard.type("Not clear: j x 1")
    page.keyboard.press("Tab")
    page.keyboard.type("A reply")
    assert in_every_look(page) == []
    page.keyboard.press("Control+Enter")
    expect(editor).to_have_count(0)
    told = page.locator("[data-told]").first
    expect(told).to_have_text("Edited: type: vague · comment: Not clear: j x 1 · replacement: A reply")
    expect(page.locator("[data-said]")).to_have_text(told.text_content() or "")
    page.reload()
    expect(told).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Decided. Task")).to_be_visible()
    made = Adjudication.objects.get().annotation.critiques.get()
    assert (made.type, made.comment, made.edit, made.end) == ("vague", "Not clear: j x 1", "A reply", 8)


def test_another_choice_drops_what_was_edited_and_an_open_editor_is_kept(crew: Cast, sign_in: Any) -> None:
    projects.revise_protocol(project=crew.project, critiques=CRITIQUES)
    crew.project.refresh_from_db()
    (task,) = make_pairs(crew.project, 1)
    mark(speak(crew, "ann", task, 1), 0, 6)
    mark(speak(crew, "bob", task, 1), 0, 8)
    page = sign_in(crew.rita).new_page()
    page.goto(f"/projects/{crew.project.slug}/adjudicate/{task.pk}/")
    page.keyboard.press("e")
    page.get_by_label("Type").select_option("vague")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("[data-told]").first).to_be_visible()
    page.keyboard.press("2")
    expect(page.locator("[data-told]").first).to_be_hidden()
    page.locator("[data-edit]").first.click()
    page.get_by_label("Comment").fill("Said anew.")
    page.get_by_role("button", name="Decide and stay").click()
    expect(page.get_by_text("Decided by rita")).to_be_visible()
    made = Adjudication.objects.get().annotation.critiques.get()
    assert (made.type, made.comment, made.end) == ("wrong", "Said anew.", 8)
