"""Critiques of spans: an overall critique first, then the quotes that it rests on.

The order is that of Text2Grad (arXiv 2505.22338, section 3.1), whose ablation loses much without the critique in
words; few, exact quotes, since dense marking teaches less. Simpler than there: one prompt for all tasks.
"""

from __future__ import annotations

from typing import Any

from workers.criticising import Heard, Schema, Subject, Wanted, Way, ways
from workers.critics.shapes import (
    POLARITIES,
    TEXT,
    evidence,
    evidence_schema,
    has_critiques,
    labelled,
    listed,
    located,
    one_of,
    or_null,
    shape,
)

MOST = 20


def words(wanted: Wanted, subject: Subject) -> str:
    asked = wanted.critiques
    told = [
        "Criticise the response. First write an overall critique of two to five sentences: what is best, what is "
        "worst, what is missing. Then name the few places that it rests on, about two to six; none if there are none.",
        "For each place:\n"
        "- “quote”: the words of the response, copied exactly, character for character; as few as show the point, but "
        "enough to occur only once. An empty quote speaks of the response as a whole.\n"
        "- “comment”: why, in a sentence.",
    ]
    if asked.get("types"):
        told.append("“type” is one of:\n" + labelled(asked["types"]))
    if asked.get("severities"):
        told.append("“severity” is one of:\n" + labelled(asked["severities"]))
    if asked.get("polarities"):
        told.append("“polarity” says whether the place is " + ", ".join(asked["polarities"]) + ".")
    if asked.get("edit"):
        told.append("“edit” is what should stand there instead of the quote, empty to leave it out, or null.")
    if asked.get("omission"):
        told.append("“missing” is true where something is missing; then the quote is empty.")
    if asked.get("evidence") and subject.documents:
        told.append("“evidence” quotes the words of a document that prove the point, or is null.")
    return "\n\n".join(told)


def schema(wanted: Wanted, subject: Subject) -> Schema:
    asked = wanted.critiques
    fields: dict[str, Schema] = {"quote": TEXT, "comment": TEXT}
    if asked.get("evidence") and subject.documents:
        fields["evidence"] = evidence_schema(subject)
    for field, names in (("type", asked.get("types")), ("severity", asked.get("severities"))):
        if names:
            fields[field] = one_of(label["name"] for label in names)
    if asked.get("polarities"):
        fields["polarity"] = one_of(asked["polarities"])
    if asked.get("edit"):
        fields["edit"] = or_null(TEXT)
    if asked.get("omission"):
        fields["missing"] = {"type": "boolean"}
    return shape(overall=TEXT, critiques=listed(shape(**fields), MOST))


def read(wanted: Wanted, subject: Subject, answer: Any) -> Heard:
    heard = Heard(rationale=answer["overall"].strip())
    for given in answer["critiques"]:
        missing = bool(given.get("missing"))
        message, spot = located(subject.responses[0], "" if missing else given["quote"])
        heard.critiques.append(
            {
                "message": message,
                "unit": "span" if spot.start is not None else "response",
                "start": spot.start,
                "end": spot.end,
                "quote": spot.quote,
                "how": spot.anchor,
                "type": given.get("type", ""),
                "severity": given.get("severity", ""),
                "polarity": POLARITIES.get(given.get("polarity", "")),
                "comment": given["comment"].strip(),
                "edit": given.get("edit") if spot.start is not None else None,
                "omission": missing,
                "evidence": evidence(given.get("evidence"), subject, heard),
            }
        )
    return heard


ways.add(Way("spans", "Critiques of spans", fits=has_critiques, words=words, schema=schema, read=read))
