"""How a test sits at the annotation screen: which task is shown, one key, and what follows."""

from __future__ import annotations

from playwright.sync_api import Page, expect

SETTLED = 300  # ms: longer than the time in which a second key press is taken for a slip


def task_of(page: Page) -> int:
    return int(page.locator("#stage [data-task]").get_attribute("data-task") or 0)


def press(page: Page, key: str) -> int:
    """Press a key on the task that is shown, once it has settled; the task it was about."""
    page.wait_for_timeout(SETTLED)
    task = task_of(page)
    page.keyboard.press(key)
    return task


def decide(page: Page, key: str) -> int:
    """Press a deciding key and wait until the task is gone; which it was."""
    task = press(page, key)
    expect(page.locator(f"#stage [data-task='{task}']")).to_have_count(0)
    return task


def moves_on_from(page: Page, task: int) -> None:
    expect(page.locator(f"#stage [data-task='{task}']")).to_have_count(0)
    expect(page.locator("#stage [data-task]")).to_be_visible()


def wait_until_sent(page: Page) -> None:
    expect(page.locator("#unsent")).to_be_hidden(timeout=15000)
