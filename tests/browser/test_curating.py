"""Proposals by keyboard: one key goes on, one accepts, one refuses, one takes it back, and the counts follow."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from curation.models import Proposal
from tests.cast import Cast
from tests.curations import curated, plant


def test_proposals_are_decided_by_key(crew: Cast, sign_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = curated(plant(crew, monkeypatch))
    page = sign_in(crew.olga).new_page()
    page.goto(f"/projects/{crew.project.slug}/curation/{run.pk}/?action=flip")
    cards = page.locator("[data-proposal]")
    expect(cards).to_have_count(4)
    page.keyboard.press("j")
    expect(cards.nth(0)).to_be_focused()
    page.keyboard.press("a")
    expect(page.get_by_text("3 open, 1 accepted, 0 refused")).to_be_visible()
    expect(cards.nth(0)).to_have_attribute("data-proposal", "accepted")
    expect(cards.nth(1)).to_be_focused()
    page.keyboard.press("r")
    expect(page.get_by_text("2 open, 1 accepted, 1 refused")).to_be_visible()
    expect(cards.nth(2)).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("u")
    expect(page.get_by_text("3 open, 1 accepted, 0 refused")).to_be_visible()
    expect(cards.nth(1)).to_be_focused()
    page.get_by_label("Score from").press("a")
    expect(page.get_by_text("3 open, 1 accepted, 0 refused")).to_be_visible()
    states = Proposal.objects.filter(run=run, action="flip").order_by("-score").values_list("state", flat=True)
    assert list(states) == ["accepted", "open", "open", "open"]
    page.get_by_role("button", name="Accept all open “flip”").click()
    expect(page.get_by_text("3 accepted.", exact=True)).to_be_visible()
    expect(page.get_by_text("All of these are decided.")).to_be_visible()
