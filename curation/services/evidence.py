"""Evidence: a span of a document, of a response, or an address elsewhere, that a critique or verdict points at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from curation.errors import Invalid
from curation.services.taking import ShownResponse

FIELDS = {"document", "response", "url", "start", "end", "quote"}
LONGEST_ADDRESS = 2000


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
        ):
            raise Invalid("must begin with http:// or https://", field=f"{field}.url")
        return
    text = text_of(given[named[0]], named[0], shown, documents, field)
    start, end = given.get("start", -1), given.get("end", -1)
    if not (is_place(start) and is_place(end) and start < end <= len(text)):
        raise Invalid(f"must lie within the {len(text)} code points of the text", field=f"{field}.start")
    quote = text[start:end]
    if given.get("quote") not in (None, "", quote):
        raise Invalid(f"is not what stands there: {quote[:60]!r}", field=f"{field}.quote")
    given["quote"] = quote


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


def responses_as(
    evidence: dict[str, Any] | str | None, order: str, stored_to_shown: bool = True
) -> dict[str, Any] | None:
    """Evidence with its response named by the other order of places (shown or stored); others as they are."""
    found: dict[str, Any] | None = orjson.loads(evidence) if isinstance(evidence, str) else evidence
    if not found or found.get("response") is None:
        return found
    return found | {"response": turned(found["response"], order, stored_to_shown)}


def turned(place: int, order: str, stored_to_shown: bool) -> int:
    """A place of a response in the other order: of a pair shown as `ba`, or of a ranking shown as `2,0,1`."""
    if order == "ba":
        return 1 - place
    if "," in order:
        places = [int(part) for part in order.split(",")]
        return places.index(place) if stored_to_shown else places[place]
    return place
