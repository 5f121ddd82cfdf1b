"""The pages in a real browser: sign in, import, make and change a project, invite, freeze, download, tokens, menus."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from curation.models import ApiToken, Membership, Project, Run, User
from curation.services import people, running
from tests.browser.house import ROWS
from tests.calling import Caller
from tests.cast import Cast, make_pairs
from tests.test_freezing import answer_all

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def page(sign_in: Any, crew: Cast) -> Page:
    """olga's, who owns the project and is staff."""
    crew.olga.is_staff = True
    crew.olga.save()
    opened: Page = sign_in(crew.olga, accept_downloads=True).new_page()
    return opened


def root(crew: Cast) -> str:
    return f"/projects/{crew.project.slug}"


def work() -> None:
    """What a worker does: every queued run."""
    for run in Run.objects.filter(state=Run.State.QUEUED):
        running.execute(str(run.pk))


def downloaded(page: Page, *, row: str = "", name: str) -> str:
    """The text of the file behind a link."""
    where = page.get_by_role("row", name=row) if row else page
    with page.expect_download() as got:
        where.get_by_role("link", name=name).click()
    return Path(got.value.path()).read_text()


# --- Signing in ---------------------------------------------------------------------------------------


def test_a_one_time_link_signs_in_once(chromium: Browser, live_server: Any, crew: Cast) -> None:
    link = f"/sign-in/{people.make_sign_in_link(user=crew.mia)}/"
    for heading in ("Projects", "This link no longer works"):
        context = chromium.new_context(base_url=live_server.url)
        page = context.new_page()
        page.goto(link)
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        context.close()


def test_signing_in_leads_to_where_one_wanted_to_go(chromium: Browser, live_server: Any, crew: Cast) -> None:
    crew.mia.set_password("a long enough one")
    crew.mia.save()
    page = chromium.new_context(base_url=live_server.url).new_page()
    page.goto(f"{root(crew)}/members/")
    for password in ("wrong", "a long enough one"):
        page.get_by_label("User name").fill("mia")
        page.get_by_label("Password").fill(password)
        page.keyboard.press("Enter")
        if password == "wrong":
            expect(page.get_by_role("alert")).to_contain_text("do not match")
    expect(page.get_by_role("heading", level=1)).to_have_text("Members")
    page.get_by_label("Menu of mia").click()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/account/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.context.close()


# --- Import -------------------------------------------------------------------------------------------


def choose(page: Page) -> None:
    page.get_by_label("Choose a file").set_input_files({"name": "p.jsonl", "mimeType": "", "buffer": ROWS})


def drop(page: Page) -> None:
    script = "text => { const data = new DataTransfer(); data.items.add(new File([text], 'p.jsonl')); return data; }"
    data = page.evaluate_handle(script, ROWS.decode())
    page.dispatch_event("[data-drop-zone]", "dragover", {"dataTransfer": data})
    expect(page.locator("[data-drop-zone]")).to_have_class("drop drop--over")
    page.dispatch_event("[data-drop-zone]", "drop", {"dataTransfer": data})


def test_a_file_can_be_dropped(page: Page, crew: Cast) -> None:
    page.goto(f"{root(crew)}/imports/")
    drop(page)
    expect(page.get_by_text(f"p.jsonl, {len(ROWS)} B")).to_be_visible()
    page.get_by_role("button", name="Look at the first rows").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("p.jsonl")


def test_a_file_is_looked_at_imported_and_reported_to_its_end(page: Page, crew: Cast) -> None:
    page.goto(f"{root(crew)}/imports/")
    choose(page)
    page.get_by_role("button", name="Look at the first rows").click()
    expect(page.get_by_text("1 refused", exact=True)).to_be_visible()
    expect(page.get_by_role("article", name="Row on line 1")).to_contain_text("Thus.")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    work()
    expect(page.get_by_role("status")).to_have_text("Succeeded")
    expect(page.locator(".stat", has_text="created").locator("dd")).to_have_text("1")
    told = json.loads(downloaded(page, name="Download them all"))
    assert told["line"] == 2 and told["field"] == "responses"
    page.get_by_role("link", name="Annotate now").click()
    expect(page.locator("#prompt")).to_contain_text("Why?")


def test_the_page_of_a_run_keeps_the_focus_while_it_renews_itself(page: Page, crew: Cast) -> None:
    run = Run.objects.create(project=crew.project, method="import", params={"format": "touchstone"})
    for address in (f"runs/{run.pk}", f"imports/runs/{run.pk}"):
        page.goto(f"{root(crew)}/{address}/")
        page.get_by_role("button", name="Cancel").focus()
        with page.expect_response(f"**/{address}/"):
            pass
        page.wait_for_timeout(100)
        expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The run is asked to stop.")).to_be_visible()


def test_another_format_is_tried_without_leaving_the_preview(page: Page, crew: Cast) -> None:
    page.goto(f"{root(crew)}/imports/")
    choose(page)
    page.get_by_role("button", name="Look at the first rows").click()
    expect(page.get_by_text("Recognised:")).to_be_visible()
    page.get_by_label("Format", exact=True).select_option("hh-rlhf")
    expect(page.get_by_text("Chosen by you")).to_be_visible()
    expect(page.get_by_text("Nothing in this file can be imported.")).to_be_visible()
    expect(page.get_by_role("button", name="Import", exact=True)).to_have_count(0)
    expect(page.get_by_role("heading", name="What is wrong")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("Recognised:")).to_be_visible()


def test_an_empty_file_is_refused_where_it_was_chosen(page: Page, crew: Cast) -> None:
    page.goto(f"{root(crew)}/imports/")
    page.get_by_label("Choose a file").set_input_files({"name": "p.jsonl", "mimeType": "", "buffer": b""})
    look = page.get_by_role("button", name="Look at the first rows")
    look.click()
    expect(page.locator("[data-upload-said]")).to_contain_text("empty")
    expect(look).to_be_enabled()


# --- Projects and people ------------------------------------------------------------------------------


def test_a_new_project_takes_its_address_from_its_name(page: Page) -> None:
    page.goto("/projects/")
    page.get_by_role("link", name="New project").click()
    page.get_by_label("Name").fill("Élan & safety, round 2")
    expect(page.get_by_label("Address")).to_have_value("elan-safety-round-2")
    page.get_by_label("Address").fill("round-2")
    page.get_by_label("Name").fill("Safety, round 2")
    expect(page.get_by_label("Address")).to_have_value("round-2")
    page.get_by_role("button", name="Make project").click()
    expect(page).to_have_url(re.compile("/projects/round-2/$"))
    expect(page.get_by_role("status")).to_contain_text("The project is made")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text("The project is made")).to_have_count(0)


def test_settings_change_what_annotators_are_asked(page: Page, crew: Cast) -> None:
    make_pairs(crew.project, 1)
    page.goto(f"{root(crew)}/settings/")
    page.get_by_label("Answers per task").fill("3")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    page.get_by_role("link", name="Edit the protocol").click()
    page.get_by_role("group", name="Axis 1").get_by_label("Question").fill("Which one is kinder?")
    page.get_by_label("Scale").select_option("3")
    page.get_by_label("“Tie” may be answered").uncheck()
    page.get_by_role("button", name="Save protocol").click()
    expect(page.get_by_role("status")).to_contain_text("version 2 of the protocol")
    page.get_by_role("link", name="Annotate", exact=True).click()
    expect(page.get_by_role("heading", name="Which one is kinder?")).to_be_visible()
    choices = page.get_by_role("group", name="Which one is kinder?").get_by_role("button")
    assert choices.count() == 7 and "Tie" not in choices.all_inner_texts()
    assert Project.objects.get(pk=crew.project.pk).overlap == 3


def test_who_opens_an_invite_link_is_in_with_its_role(page: Page, crew: Cast, chromium: Browser) -> None:
    page.goto(f"{root(crew)}/members/")
    page.get_by_label("Role", exact=True).select_option("reviewer")
    page.get_by_role("button", name="Make invite link").click()
    link = page.locator("#link").inner_text()
    guest = chromium.new_context().new_page()
    guest.goto(link)
    guest.get_by_label("User name").fill("nina")
    guest.get_by_label("Password").fill("quite a long one")
    guest.get_by_role("button", name="Make an account and join").click()
    expect(guest.get_by_role("heading", level=1)).to_have_text(crew.project.name)
    guest.context.close()
    assert Membership.objects.get(user__username="nina").role == "reviewer"
    page.goto(f"{root(crew)}/members/")
    expect(page.locator("#link")).to_have_count(0)
    row = page.get_by_role("row", name="nina")
    row.get_by_role("combobox").select_option("viewer")
    row.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("nina is viewer now")
    page.get_by_role("row", name="nina").get_by_role("button", name="Remove").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("row", name="nina").get_by_role("button", name="Remove")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("row", name="nina")).to_have_count(0)


# --- Datasets and tokens ------------------------------------------------------------------------------


def test_a_version_is_counted_made_and_downloaded(page: Page, crew: Cast) -> None:
    make_pairs(crew.project, 3)
    answer_all(crew, "ann", -1, 2)
    page.goto(f"{root(crew)}/datasets/new/")
    expect(page.get_by_text("2 rows from 2 answered pairs.")).to_be_visible()
    page.get_by_label("Smallest confidence").fill("1")
    page.get_by_label("Test share").fill("0")
    page.get_by_role("button", name="Make the version").click()
    expect(page.get_by_text("Being made", exact=True)).to_be_visible()
    work()
    expect(page.get_by_text("Ready", exact=True)).to_be_visible()
    rows = downloaded(page, row="train.jsonl", name="Download").splitlines()
    assert [json.loads(row)["chosen"][0]["content"] for row in rows] == ["Answer 0 to 0", "Answer 1 to 1"]


def test_a_token_is_shown_once_works_and_is_revoked(page: Page, live_server: Any) -> None:
    page.goto("/account/tokens/")
    page.get_by_label("Name").fill("Training script")
    page.get_by_role("button", name="Make token").click()
    secret = page.locator("#secret").inner_text()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    assert Caller(live_server.url, secret)("GET", "projects")[0] == 200
    page.goto("/account/tokens/")
    assert secret not in page.content()
    for answer in ("Cancel", "Revoke"):
        page.get_by_role("row", name="Training script").get_by_role("button", name="Revoke").click()
        dialog = page.get_by_role("dialog", name="Revoke “Training script”?")
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        dialog.get_by_role("button", name=answer).click()
        expect(dialog).to_have_count(0)
        expect(page.get_by_text("Revoked", exact=True)).to_have_count(int(answer == "Revoke"))
    assert Caller(live_server.url, secret)("GET", "projects")[0] == 401


# --- Around every page --------------------------------------------------------------------------------


def test_the_menu_works_by_keyboard_and_closes_by_itself(page: Page) -> None:
    page.goto("/projects/")
    menu, panel = page.get_by_label("Menu of olga"), page.locator(".menu__panel")
    menu.focus()
    page.keyboard.press("Enter")
    expect(panel).to_be_visible()
    page.keyboard.press("Tab")
    expect(panel.get_by_role("link", name="Projects")).to_be_focused()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(menu).to_be_focused()
    page.keyboard.press("Space")
    expect(panel).to_be_visible()
    page.get_by_role("heading", level=1).click()
    expect(panel).to_be_hidden()


def test_a_theme_is_there_at_once_and_stays(page: Page) -> None:
    page.goto("/projects/")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_label("Menu of olga").click()
    with page.expect_response("**/account/theme/"):
        page.get_by_role("button", name="Dark").click()
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    dark = page.evaluate(ground)
    page.reload()
    assert dark == page.evaluate(ground) != light
    assert User.objects.get(username="olga").theme == "dark"


def test_on_a_phone_the_tab_one_is_on_is_in_view(page: Page, crew: Cast) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    for tab in ("Overview", "Members", "Settings"):
        page.goto(f"{root(crew)}/{'' if tab == 'Overview' else tab.lower() + '/'}")
        here = page.locator(".tabs [aria-current=page]")
        expect(here).to_have_text(tab)
        expect(here).to_be_in_viewport(ratio=1)


def test_without_scripts_every_form_still_posts(sign_in: Any, crew: Cast) -> None:
    page = sign_in(crew.olga, java_script_enabled=False).new_page()
    page.goto(f"{root(crew)}/imports/")
    choose(page)
    page.get_by_role("button", name="Look at the first rows").click()
    page.get_by_role("button", name="Import", exact=True).click()
    work()
    page.reload()
    expect(page.get_by_role("status")).to_have_text("Succeeded")
    page.get_by_label("Menu of olga").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto("/account/tokens/")
    page.get_by_label("Name").fill("By hand")
    page.get_by_role("button", name="Make token").click()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Revoked", exact=True)).to_be_visible()
    assert ApiToken.objects.get().revoked_at
