"""Ways in, in a real browser: a provider's page, a phone's code, a crowd link from Begin to the completion code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from curation.models import Annotation, CrowdPerson, User
from curation.services import crowd, people
from tests.browser.desk import decide, wait_until_sent
from tests.cast import Cast, make_pairs
from tests.identity_provider import Provider, serve
from tests.test_people import PASSWORD
from tests.test_providers import configure
from tests.test_two_factor import code


@pytest.fixture
def stranger(chromium: Browser, live_server: Any) -> Iterator[Page]:
    """A page of a browser that nobody has signed in with."""
    context = chromium.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    made = Provider(people={"nina": {"email": "n@example.org", "email_verified": True, "preferred_username": "nina"}})
    server = serve(made)
    configure(settings, made)
    yield made
    server.shutdown()
    server.server_close()


def test_a_provider_signs_in_through_its_own_page(crew: Cast, provider: Provider, stranger: Page) -> None:
    stranger.goto(f"/projects/{crew.project.slug}/")
    stranger.get_by_role("link", name="Sign in with House").click()
    expect(stranger).to_have_title("Provider")
    stranger.get_by_label("Who are you?").fill("nina")
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_role("heading", name="Not found")).to_be_visible()  # where she was going; no member yet
    stranger.goto("/account/")
    expect(stranger.get_by_text("You sign in as nina")).to_be_visible()
    expect(stranger.get_by_role("button", name="Unlink")).to_be_visible()
    assert provider.asked.count("/keys") == 1


def test_two_factor_is_set_up_and_asked_for(crew: Cast, sign_in: Any, stranger: Page) -> None:
    people.change_password(user=crew.ann, current="", password=PASSWORD)
    page = sign_in(User.objects.get(pk=crew.ann.pk)).new_page()
    page.goto("/account/")
    page.get_by_role("link", name="Set up").click()
    secret = page.locator("#key").inner_text().replace(" ", "")
    box = page.locator(".qr svg").bounding_box()
    assert box and box["width"] > 180
    page.get_by_label("Code", exact=True).fill(code(secret, -1))
    page.keyboard.press("Enter")
    assert len(page.locator("#codes").inner_text().split()) == 10
    stranger.goto("/sign-in/")
    stranger.get_by_label("User name").fill("ann")
    stranger.get_by_label("Password").fill(PASSWORD)
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_label("Code")).to_be_focused()
    stranger.keyboard.type(code(secret))
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_role("heading", name="Projects")).to_be_visible()


def test_a_guest_works_by_keyboard_up_to_the_code(crew: Cast, stranger: Page) -> None:
    make_pairs(crew.project, 6)
    given = {"quota": 3, "most_people": 5, "days": 1, "parameter": "PROLIFIC_PID", "code": "C0FFEE"}
    _, secret = crowd.make_link(
        project=crew.project, by=crew.mia, name="P", welcome="Compare **two** answers.", return_url="", **given
    )
    stranger.goto(f"/crowd/{secret}/?PROLIFIC_PID=5f3a")
    expect(stranger.locator("strong", has_text="two")).to_be_visible()
    stranger.get_by_role("button", name="Begin").press("Enter")
    stranger.wait_for_selector("[data-task]")
    for key in ("1", "2", "0"):
        stranger.wait_for_load_state("networkidle")
        decide(stranger, key)
    expect(stranger.get_by_role("heading", name="All done")).to_be_visible()
    wait_until_sent(stranger)
    expect(stranger.locator("#progress-text")).to_have_text("3 of 3 for you")
    stranger.wait_for_load_state("networkidle")
    stranger.keyboard.press("u")  # still possible
    expect(stranger.locator("#stage [data-task]")).to_be_visible()
    decide(stranger, "1")
    wait_until_sent(stranger)
    expect(stranger.locator("#progress-text")).to_have_text("3 of 3 for you")
    stranger.wait_for_load_state("networkidle")
    stranger.get_by_role("button", name="Finish and get the code").press("Enter")
    expect(stranger.locator("#code")).to_have_text("C0FFEE")
    assert Annotation.objects.answers().count() == 3 and CrowdPerson.objects.get().finished_at
    stranger.goto("/projects/")
    expect(stranger.get_by_text("this is not part of it")).to_be_visible()
