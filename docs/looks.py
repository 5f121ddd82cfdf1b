"""One picture of each preset's annotation screen: wide and narrow, in light and in dark, side by side."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
HIGH = 620
"""Pixels that each look is high in the picture."""
OPENED = ("span-critique", "error-spans")
"""Presets shown with their first critique in hand."""
STYLE = (
    "body{margin:0;padding:12px;background:#8d908a;display:grid;gap:12px;grid-template-columns:max-content max-content}"
    f"img{{height:{HIGH}px}}"
)


def slug_of(preset: str) -> str:
    return f"preset-{preset}"


def photograph_presets(browser: Browser, cookies: Any, address: str, presets: list[str], folder: Path) -> None:
    """`<name>.jpg` for each preset, of a project with its sample."""
    folder.mkdir(parents=True, exist_ok=True)
    looks: dict[str, list[bytes]] = {preset: [] for preset in presets}
    for theme in ("light", "dark"):
        for wide, high in SIZES.values():
            context = browser.new_context(
                base_url=address,
                viewport={"width": wide, "height": high},
                color_scheme=theme,  # type: ignore[arg-type]
                reduced_motion="reduce",
            )
            context.add_cookies(cookies)
            page = context.new_page()
            for preset in presets:
                page.goto(f"/projects/{slug_of(preset)}/annotate/")
                page.wait_for_load_state("networkidle")
                if preset in OPENED:
                    page.keyboard.press("n")
                looks[preset].append(page.screenshot())
            context.close()
    for preset, pictures in looks.items():
        compose(browser, pictures, folder / f"{preset}.jpg")


def compose(browser: Browser, pictures: list[bytes], path: Path) -> None:
    images = "".join(f'<img src="data:image/png;base64,{base64.b64encode(one).decode()}">' for one in pictures)
    page = browser.new_page(viewport={"width": 1600, "height": 2 * HIGH + 36})
    page.set_content(f"<style>{STYLE}</style>{images}")
    width = page.evaluate("Math.ceil(document.images[1].getBoundingClientRect().right) + 12")
    page.screenshot(path=path, type="jpeg", quality=82, clip={"x": 0, "y": 0, "width": width, "height": 2 * HIGH + 36})
    page.close()
