"""Evidence: a span of a document, of a response, or an address elsewhere, that a critique or verdict points at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from curation.errors import Invalid
from curation.protocols import storable
from curation.services.taking import ShownResponse

FIELDS = {"document", "response", "url", "start", "end", "quote"}
LONGEST_ADDRESS = 2000
LONGEST_QUOTE = 20_000


def check_evidence(given: dict[str, Any], shown: Sequence[ShownResponse], documents: Sequence[Any], field: str) -> None:
    """Raises Invalid when the evidence names nothing that is there. Its quote is filled in."""
    if not isinstance(given, dict) or set(given) - FIELDS:
        raise Invalid(f"has these fields: {', '.join(sorted(FIELDS))}", field=field)
    named = [name for name in ("document", "response", "url") if given.get(name) is not None]
    if len(named) != 1:
        raise Invalid("names one document, one response, or one address", field=field)
    if named == ["url"]:
        address = given["url"]
        if (
            not isinstance(address, str)
            or len(address) > LONGEST_ADDRESS
            or not address.startswith(("http://", "https://"))
            or not storable(address)
        ):
            raise Invalid("must begin with http:// or https://", field=f"{field}.url")
        check_quoted(given, field)
        return
    text = text_of(given[named[0]], named[0], shown, documents, field)
    start, end = given.get("start", -1), given.get("end", -1)
    if not (is_place(start) and is_place(end) and start < end <= len(text)):
        raise Invalid(f"must lie within the {len(text)} code points of the text", field=f"{field}.start")
    quote = text[start:end]
    if given.get("quote") not in (None, "", quote):
        raise Invalid(f"is not what stands there: {quote[:60]!r}", field=f"{field}.quote")
    given["quote"] = quote


def check_quoted(given: dict[str, Any], field: str) -> None:
    """What is quoted from elsewhere is words, and has no place here."""
    quote = given.get("quote")
    if quote is not None and not (isinstance(quote, str) and len(quote) <= LONGEST_QUOTE and storable(quote)):
        raise Invalid(f"must be text of at most {LONGEST_QUOTE} characters", field=f"{field}.quote")
    for name in ("start", "end"):
        if given.get(name) is not None:
            raise Invalid("has no place in a text that is not here", field=f"{field}.{name}")


def text_of(place: Any, where: str, shown: Sequence[ShownResponse], documents: Sequence[Any], field: str) -> str:
    count = len(documents) if where == "document" else len(shown)
    if not is_place(place) or place >= count:
        raise Invalid(f"there are {count}, counted from 0", field=f"{field}.{where}")
    if where == "response":
        return shown[place].text
    return document_text(documents[place])


def document_text(document: Any) -> str:
    """The text of a document, given as text or as an object with one."""
    return document if isinstance(document, str) else str(document.get("text") or "")


def is_place(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def as_stored(evidence: dict[str, Any] | None, order: str) -> dict[str, Any] | None:
    """Evidence with its response named by its place as stored; others as they are."""
    if not evidence or evidence.get("response") is None:
        return evidence
    return evidence | {"response": stored_place(evidence["response"], order)}


def as_seen(evidence: dict[str, Any] | None, place_of: Callable[[int], int | None]) -> dict[str, Any] | None:
    """Evidence with its response named by its place on the screen; none where that response is not there."""
    if not evidence or evidence.get("response") is None:
        return evidence
    place = place_of(evidence["response"])
    return None if place is None else evidence | {"response": place}


def stored_place(place: int, order: str) -> int:
    """The stored place of a response by its shown one: of a pair shown as `ba`, of a ranking shown as `2,0,1`."""
    if order == "ba":
        return 1 - place
    return int(order.split(",")[place]) if "," in order else place


def shown_place(place: Any, order: str, count: int) -> int | None:
    """The other way round; None where that response is not shown, as when an import has put it away since."""
    stored = [stored_place(one, order) for one in range(count)]
    return stored.index(place) if place in stored else None
