"""The shelf of other annotation tools: an export of one of them in, a protocol and rows of our own format out.

A tool is one file: `recognises` says how sure it is that an export is its own (0: not at all), `open` reads the
settings and gives the plan with the rows. What cannot be taken over is counted by name, never dropped in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.rows import Found
from workers.shelf import Shelf
from workers.switching.export import Export, Unreadable

Left = Counter[str]
"""What is not taken over, in words, and how often it was met."""
SHAPE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What is raised where an export has another shape than its tool writes."""
LOOKED_AT = 5000
"""So many rows are looked at for labels where an export comes without its settings."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which fields are the prompt and the responses, where somebody says so."""

    prompts: tuple[str, ...] = ()
    responses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a project of a tool becomes: the kind of its tasks, and the fields of its protocol that are not as usual."""

    kind: str
    """preference, response or ranking"""
    protocol: Mapping[str, Any]
    fields: tuple[str, ...] = ()
    """All that may be prompt or response."""
    prompts: tuple[str, ...] = ()
    responses: tuple[str, ...] = ()
    becomes: tuple[tuple[str, str], ...] = ()
    """What each question of the tool is here."""
    left: Mapping[str, int] = field(default_factory=dict)
    """What the settings have and nothing here has; counted when the rows are read."""


@dataclass(frozen=True, slots=True)
class Opened:
    plan: Plan
    rows: Callable[[Left], Iterator[Found]]
    """Rows in Touchstone's own format; what is not taken over is counted on the way."""
    size: int = 0
    """Bytes of the files with rows, in which the places of the rows count."""


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    title: str
    recognises: Callable[[Export], int]
    open: Callable[[Export, Wanted], Opened]


tools: Shelf[Tool] = Shelf("workers.switching", "tool")


def recognise(export: Export) -> Tool | None:
    """The tool that is surest of an export, or None."""
    best = max(tools, key=lambda tool: tool.recognises(export))
    return best if best.recognises(export) else None


def opened(export: Export, name: str = "auto", wanted: Wanted | None = None) -> tuple[Tool, Opened]:
    """An export as the tool called `name` reads it, or the one that is recognised. Raises Unreadable."""
    if name in ("", "auto"):
        tool = recognise(export)
        if tool is None:
            shown = ", ".join(export.names[:5]) or "no files"
            raise Unreadable(f"is no export of {', '.join(one.title for one in tools)} (it holds {shown})")
    else:
        try:
            tool = tools.get(name)
        except KeyError as error:
            raise Unreadable(str(error.args[0]), "tool") from None
    try:
        return tool, tool.open(export, wanted or Wanted())
    except SHAPE as error:
        raise Unreadable(f"has another shape than exports of {tool.title}: {error!r:.80}") from None
