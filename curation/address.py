"""Where this Touchstone is served, as far as it is known: for links that commands print, and for files that leave."""

from __future__ import annotations

import os
from contextlib import suppress

from django.conf import settings

USUAL_PORT = 8000


def public() -> str:
    """The address under which others reach it, `https://touchstone.example.org`; empty where none is set."""
    named = (origin.rstrip("/") for origin in settings.CSRF_TRUSTED_ORIGINS if "*" not in origin)
    return next(named, "")


def served() -> str:
    """The best guess for somebody at this machine: the public address, the port in the environment, the address that
    `make run` served last, or the one that it serves if nobody says another."""
    port = os.environ.get("PORT", "")
    return public() or (on_port(port) if port.isdigit() else "") or remembered() or on_port(USUAL_PORT)


def on_port(port: int | str) -> str:
    return f"http://localhost:{port}"


def remember(address: str) -> None:
    """Keep where it is served, for commands that are called while it is, or later."""
    (settings.VAR_DIR / "address").write_text(f"{address}\n")


def remembered() -> str:
    with suppress(OSError):
        return str((settings.VAR_DIR / "address").read_text().strip())
    return ""
