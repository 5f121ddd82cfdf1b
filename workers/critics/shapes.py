"""What the ways of asking share: schemas of answers, questions in words, and quotes looked for in their texts.

Every field of a schema is required, and may be null where nothing need be said: servers that hold a model to a
schema want it so. Reasons come before answers, since a model writes them in that order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workers.criticising import Heard, Schema, Subject, Wanted
from workers.spans import WHOLE, Spot, found

TEXT: Schema = {"type": "string"}
POLARITIES = {"poor": -1, "neutral": 0, "good": 1}


def shape(**properties: Schema) -> Schema:
    """An object of just these fields."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def listed(items: Schema, most: int) -> Schema:
    return {"type": "array", "items": items, "maxItems": most}


def one_of(names: Iterable[Any]) -> Schema:
    return {"type": "string", "enum": list(names)}


def or_null(schema: Schema) -> Schema:
    if "enum" in schema:
        return {"type": [schema["type"], "null"], "enum": [*schema["enum"], None]}
    if schema["type"] == "object":
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def labelled(labels: Sequence[Mapping[str, Any]]) -> str:
    """Labels with their words, one a line."""
    return "\n".join(f"  - {one['name']}{explained(one)}" for one in labels)


def explained(label: Mapping[str, Any]) -> str:
    words = [label.get("label") or "", label.get("about") or ""]
    told = ": ".join(word for word in words if word and word != label["name"])
    return f": {told}" if told else ""


# --- Questions ---------------------------------------------------------------------------------------


def answer_schema(question: Mapping[str, Any]) -> Schema:
    match question["kind"]:
        case "yesno":
            return {"type": "boolean"}
        case "rating":
            return {"type": "integer", "minimum": question["low"], "maximum": question["high"]}
        case "choice":
            return one_of(option["name"] for option in question["options"])
        case "choices":
            names = [option["name"] for option in question["options"]]
            return listed(one_of(names), len(names))
    return TEXT


def question_schema(question: Mapping[str, Any], subject: Subject, *, reason: bool) -> Schema:
    """The answer to one question, after its reason and its proof; null where it need not be answered."""
    properties: dict[str, Schema] = {}
    if reason or worded(question):
        properties["comment"] = TEXT
    if proved(question, subject):
        properties["evidence"] = evidence_schema(subject)
    answer = answer_schema(question)
    open_to_null = question["when"] or not question["required"]
    return shape(**properties, answer=or_null(answer) if open_to_null else answer)


def worded(question: Mapping[str, Any]) -> bool:
    """Whether words go with the answer, on the person's screen too."""
    return question["comment"] != "off" or bool(question["comment_for"])


def proved(question: Mapping[str, Any], subject: Subject) -> bool:
    return question["evidence"] != "off" and bool(subject.documents)


def described(question: Mapping[str, Any], subject: Subject) -> str:
    """A question in words: what is asked, what may be answered, and when."""
    told = f"- “{question['name']}”: {question['question']}"
    match question["kind"]:
        case "yesno":
            told += " true or false."
        case "rating":
            told += f" A whole number from {question['low']} to {question['high']}."
        case "choice":
            told += " One of:\n" + labelled(question["options"])
        case "choices":
            told += " All that apply, or none, of:\n" + labelled(question["options"])
    for name, values in question["when"].items():
        told += f" Only where “{name}” is {' or '.join(map(plainly, values))}; else null."
    if proved(question, subject):
        told += " As evidence quote the words of a document that prove it, or null."
    return told


def plainly(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def answered(
    questions: Sequence[Mapping[str, Any]], answers: Mapping[str, Any], subject: Subject, heard: Heard, **place: int
) -> dict[str, Any]:
    """Add the verdicts of one response or unit to what was heard; what was answered, by question."""
    said: dict[str, Any] = {}
    for question in questions:
        given = answers[question["name"]]
        answer = given["answer"]
        if not meant(question, answer) or any(said.get(name) not in v for name, v in question["when"].items()):
            continue
        if question["kind"] == "rating":
            answer = int(answer)
        if question["kind"] == "choices":
            answer = list(dict.fromkeys(answer))
        said[question["name"]] = answer
        verdict = {"question": question["name"], "answer": answer, "start": None, "end": None, **place}
        verdict["comment"] = given.get("comment", "") if worded(question) else ""
        verdict["evidence"] = evidence(given.get("evidence"), subject, heard)
        heard.verdicts.append(verdict)
    return said


def meant(question: Mapping[str, Any], answer: Any) -> bool:
    """Whether something was answered."""
    return answer is not None and (question["kind"] != "text" or bool(answer.strip()))


# --- Evidence and quotes -----------------------------------------------------------------------------


def evidence_schema(subject: Subject) -> Schema:
    number = {"type": "integer", "minimum": 1, "maximum": len(subject.documents)}
    return or_null(shape(document=number, quote=TEXT))


def evidence(given: Mapping[str, Any] | None, subject: Subject, heard: Heard) -> dict[str, Any] | None:
    """Evidence with its place in its document; what stands in none is left out and counted."""
    if not given or not given["quote"].strip():
        return None
    document = int(given["document"]) - 1
    spot = found(subject.documents[document], given["quote"])
    if spot.start is None:
        heard.unproved += 1
        return None
    return {"document": document, "start": spot.start, "end": spot.end, "quote": spot.quote}


def located(texts: Sequence[str], quote: str) -> tuple[int, Spot]:
    """The message of a response that a quote stands in, and its place there; the strictest find of all messages."""
    if not quote.strip():
        return 0, WHOLE
    strict = ("exact", "ambiguous", "normalised", "fuzzy", "unmatched")
    spots = [(message, found(text, quote)) for message, text in enumerate(texts)]
    return min(spots, key=lambda one: strict.index(one[1].anchor))


def has_critiques(wanted: Wanted) -> bool:
    return bool(wanted.critiques.get("on"))
