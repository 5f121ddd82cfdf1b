"""The ends of a mark, moved by the keyboard while adjudicating."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from curation.models import Adjudication
from curation.services import projects
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
