"""Reviewing by keyboard, what comes back to the annotator, and a comment without leaving the task."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from curation.models import Comment, Critique, Review, TaskKind
from curation.services import projects
from tests.cast import Cast, make_pairs
from tests.critics import ask
from tests.test_assigning import answer, reserve


def reviewed(crew: Cast, count: int) -> None:
    projects.change_project(project=crew.project, review_levels=1, review_share=1.0)
    crew.project.refresh_from_db()
    make_pairs(crew.project, count)


def outcomes() -> list[str]:
    return list(Review.objects.order_by("pk").values_list("outcome", flat=True))


def test_one_key_for_each_thing_that_may_become_of_an_answer(crew: Cast, sign_in: Any) -> None:
    reviewed(crew, 4)
    for number in range(4):
        answer(crew, reserve(crew, "ann"), -1, key=f"k{number}")
    page, root = sign_in(crew.rita).new_page(), f"/projects/{crew.project.slug}"
    page.goto(f"{root}/review/")
    page.keyboard.press("a")
    expect(page.get_by_text("Accepted.")).to_be_visible()
    page.keyboard.press("f")
    page.keyboard.press("5")
    expect(page.get_by_text("Fixed: your answer stands in its place.")).to_be_visible()
    page.keyboard.press("r")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.type("Read to the end")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    expect(page.get_by_text("Returned to ann, with your reason.")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    assert outcomes() == ["accepted", "fixed", "returned", "reassigned"]
    assert Review.objects.get(outcome="fixed").fix.preferences.get().value == 1
    ann = sign_in(crew.ann).new_page()
    ann.goto(f"{root}/annotate/")
    expect(ann.get_by_text("Returned by rita")).to_be_visible()
    ann.get_by_role("button", name="Comment").click()
    ann.get_by_label("Comment", exact=True).fill("Which end? @rita")
    ann.get_by_role("button", name="Write").click()
    expect(ann.get_by_text("Which end?")).to_be_visible()
    ann.keyboard.press("Escape")
    ann.wait_for_timeout(300)
    ann.keyboard.press("2")
    expect(ann.get_by_text("Returned by rita")).to_be_hidden()
    expect(ann.locator("#unsent")).to_be_hidden()
    assert Comment.objects.get().mentions.get().user == crew.rita


def test_a_fix_of_critiques_goes_on_from_what_was_said(crew: Cast, sign_in: Any) -> None:
    ask(crew.project, TaskKind.PREFERENCE, critiques={"on": True, "types": [{"name": "wrong"}]})
    reviewed(crew, 1)
    held = reserve(crew, "ann")
    from curation.services import annotating
    from curation.services.answering import Answer, Said
    from curation.services.desk import desk_of

    annotating.submit(
        desk=desk_of(crew.project, held.annotator),
        task_id=held.task_id,
        judgements=[annotating.Judgement("overall", -1)],
        more=Answer(critiques=[Said(response=0, start=0, end=6, type="wrong", comment="Not so")]),
        commit=annotating.Commit("k"),
    )
    page, root = sign_in(crew.rita).new_page(), f"/projects/{crew.project.slug}"
    page.goto(f"{root}/review/")
    expect(page.get_by_text("Not so").first).to_be_visible()
    page.keyboard.press("f")
    expect(page.get_by_text("You are fixing the answer of ann")).to_be_visible()
    expect(page.locator(".margin").get_by_text("Not so")).to_be_visible()
    page.wait_for_timeout(400)
    page.keyboard.press("2")
    page.wait_for_url(f"**{root}/review/")
    assert outcomes() == ["fixed"]
    fix = Review.objects.get().fix
    assert Critique.objects.get(annotation=fix).comment == "Not so" and fix.annotator.user == crew.rita
