"""The ends of a mark, moved by who decides: somebody chose the mark and meant a little more or less of the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from curation.errors import Conflict, Invalid
from curation.models import Critique, Response
from curation.services.adjudicating.elements import Element, Option

Chosen = list[tuple[Element, Option]]
Bounds = Mapping[str, Sequence[int]]
"""By the place of an element: start and end in its text, in code points."""


def moved(chosen: Chosen, bounds: Bounds) -> Chosen:
    """The chosen options, those in `bounds` with other ends. Raises Invalid naming the place, Conflict for one that is
    not there."""
    unknown = set(bounds) - {element.place for element, _ in chosen}
    if unknown:
        raise Conflict(f"the answers have changed since this page was opened: {sorted(unknown)[0]} is no longer there")
    return [
        (element, one_moved(element, option, bounds[element.place]) if element.place in bounds else option)
        for element, option in chosen
    ]


def one_moved(element: Element, option: Option, given: Sequence[int]) -> Option:
    mark = Critique.objects.filter(pk=option.source or 0).first() if element.kind == "span" and option.value else None
    if mark is None or mark.start is None or mark.start == mark.end or mark.unit != "span":
        raise Invalid("only the ends of a marked span can be moved", field=element.place)
    start, end = given if len(given) == 2 else (0, 0)
    text = text_of(element)
    if not 0 <= start < end <= len(text):
        raise Invalid(f"must be a start before an end, from 0 to {len(text)}", field=element.place)
    if start >= (element.end or 0) or end <= (element.start or 0):
        raise Invalid("must share some text with what was marked", field=element.place)
    return replace(option, value={**option.value, "start": start, "end": end})


def text_of(element: Element) -> str:
    """The text that an element is in."""
    messages = Response.objects.get(pk=element.response or 0).as_messages()
    return str(messages[element.message].get("content", ""))


def kept_of(element: Element, option: Option, mark: Critique) -> dict[str, Any]:
    """Quote and edit of the mark that was chosen: an edit is of just that text, so it goes where the ends moved,
    unless it was written for them."""
    if (option.value["start"], option.value["end"]) == (mark.start, mark.end):
        return {"quote": mark.quote, "edit": option.edit}
    quote = text_of(element)[option.value["start"] : option.value["end"]]
    return {"quote": quote, "edit": option.edit if option.rewritten else ""}
