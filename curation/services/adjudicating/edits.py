"""What was chosen, said otherwise by who decides: a mark's type, severity, polarity and words, or an answer's words.

Choosing a mark keeps its words and evidence; where all marks of a place say it badly, the nearest one is edited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from curation.errors import Conflict, Invalid
from curation.protocols import POLARITIES, Asked, storable
from curation.services.adjudicating.bounds import Chosen
from curation.services.adjudicating.elements import REJECTED, Element, Option, mark_words
from curation.services.answering import LONGEST

Edits = Mapping[str, Mapping[str, Any]]
"""By the place of an element: what is said otherwise, by field."""
OF_MARKS = ("type", "severity", "polarity", "comment", "edit")
OF_ANSWERS = ("comment",)
OF_WORDS = ("answer", "comment")


def fields_of(element: Element) -> tuple[str, ...]:
    """What of an element can be said otherwise. An axis and an order have nothing: all that can be is offered."""
    if element.kind == "span":
        return OF_MARKS
    return (OF_WORDS if element.in_words else OF_ANSWERS) if element.kind == "question" else ()


def edited(shape: Asked, chosen: Chosen, edits: Edits) -> Chosen:
    """The chosen options, those in `edits` said otherwise. Raises Invalid naming the place, Conflict for one that is
    not there."""
    unknown = set(edits) - {element.place for element, _ in chosen}
    if unknown:
        raise Conflict(f"the answers have changed since this page was opened: {sorted(unknown)[0]} is no longer there")
    return [
        (element, one_edited(shape, element, option, edits[element.place]) if element.place in edits else option)
        for element, option in chosen
    ]


def one_edited(shape: Asked, element: Element, option: Option, given: Mapping[str, Any]) -> Option:
    there = fields_of(element)
    if not there or option.key == REJECTED:
        raise Invalid("only a mark or an answer to a question can be said otherwise", field=element.place)
    if strange := sorted(set(given) - set(there)):
        raise Invalid(f"has no {strange[0]}; there is: {', '.join(there)}", field=element.place)
    for name in ("comment", "edit", "answer"):
        if name in given:
            check_text(given[name], name, element.place)
    if element.kind == "question":
        answer = given.get("answer", option.value)
        if element.in_words and not answer.strip():
            raise Invalid("an answer in words needs some", field=element.place)
        return replace(option, value=answer, words=str(answer) if "answer" in given else option.words,
                       comment=given.get("comment", option.comment))  # fmt: skip
    return mark_edited(shape, element, option, given)


def mark_edited(shape: Asked, element: Element, option: Option, given: Mapping[str, Any]) -> Option:
    critiques, value = shape.critiques, dict(option.value)
    known: dict[str, list[Any]] = {
        "type": [label.name for label in critiques.types],
        "severity": [label.name for label in critiques.severities],
        "polarity": [POLARITIES[name] for name in critiques.polarities],
    }
    for name, labels in known.items():
        if name in given and given[name] != value[name]:
            if isinstance(given[name], bool) or given[name] not in labels:
                raise Invalid(f"is no {name} of this project", field=element.place)
            value[name] = given[name]
    comment, edit = given.get("comment", option.comment), option.edit
    if "edit" in given and given["edit"] != (option.edit or ""):
        if not critiques.edit and given["edit"]:
            raise Invalid("no replacement is asked here", field=element.place)
        edit = given["edit"] or None
    if critiques.comment == "required" and "comment" in given and not comment.strip() and edit is None:
        raise Invalid("say what it is, in a few words", field=element.place)
    words = mark_words(shape, value, "")
    return replace(option, value=value, comment=comment, edit=edit, rewritten="edit" in given, words=words)


def check_text(given: Any, name: str, place: str) -> None:
    if not isinstance(given, str) or len(given) > LONGEST or not storable(given):
        raise Invalid(f"{name} must be text of at most {LONGEST} characters", field=place)
