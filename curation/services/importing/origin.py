"""Where the items of an import come from: a named source with its licence, which reaches the card of every version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from curation.errors import Invalid
from curation.models import Project, Source

COLUMNS = {"source": "name", "licence": "licence", "source_url": "url"}
LONGEST = {"source": 200, "licence": 100, "source_url": 500}


def origin_from(source: str = "", licence: str = "", source_url: str = "") -> dict[str, str]:
    """What an import keeps of its origin; empty where nothing was said. Raises Invalid naming the field."""
    given = {"source": source.strip(), "licence": licence.strip(), "source_url": source_url.strip()}
    for name, text in given.items():
        if len(text) > LONGEST[name]:
            raise Invalid(f"has more than {LONGEST[name]} characters", field=name)
        if any(ord(character) < 32 or 0xD800 <= ord(character) < 0xE000 for character in text):
            raise Invalid("holds characters that are no text", field=name)
        if text and not given["source"]:
            raise Invalid("needs the name of its source", field=name)
    if given["source_url"] and urlsplit(given["source_url"]).scheme not in ("http", "https"):
        raise Invalid("must begin with http:// or https://", field="source_url")
    return {name: text for name, text in given.items() if text}


def source_of(project: Project, params: Mapping[str, Any]) -> int | None:
    """The row of the source that an import names, made when it is new; a licence that is told later counts."""
    if not params.get("source"):
        return None
    told = {COLUMNS[name]: params[name] for name in ("licence", "source_url") if params.get(name)}
    found, new = Source.objects.get_or_create(project=project, name=params["source"], defaults=told)
    if told and not new:
        Source.objects.filter(pk=found.pk).update(**told)
    return found.pk
