"""Label Studio's labelling configuration: its objects are fields, its controls are questions.

https://labelstud.io/tags/. Objects show a field of the task's data (`value="$answer"`); controls ask something about
one or two of them (`toName`), or about each marked region (`perRegion`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from workers.switching import SHAPE
from workers.switching.asked import Option, Question
from workers.switching.export import Unreadable
from workers.switching.fields import Field

OBJECTS = {"Text": "text", "HyperText": "html", "Paragraphs": "dialogue", "List": "list", "Chat": "chat"}
SPANS = ("Labels", "HyperTextLabels", "ParagraphLabels")
ASKED = ("Choices", "Rating", "TextArea", "Number", "DateTime", "Taxonomy", "Pairwise", "Ranker")
SEVERITY = re.compile(r"severit|impact|gravity", re.IGNORECASE)
EDIT = re.compile(r"edit|correct|rewrit|replac|fix", re.IGNORECASE)
POLARITIES = ("poor", "neutral", "good")
PATH = " / "


@dataclass(frozen=True, slots=True)
class Object:
    """What a tag shows: the field, its kind, and of a dialogue the keys of its turns."""

    name: str
    field: str
    kind: str
    author: str = "author"
    said: str = "text"


@dataclass(frozen=True, slots=True)
class Control:
    """A control. `becomes`: question, spans, severity, polarity, comment, edit, or words (in the comment)."""

    name: str
    tag: str
    becomes: str
    question: Question
    buckets: tuple[str, ...] = ()


@dataclass(slots=True)
class Config:
    objects: dict[str, Object] = field(default_factory=dict)
    controls: dict[str, Control] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)

    @property
    def fields(self) -> list[Field]:
        shown = {one.field: Field(one.field, one.kind) for one in self.objects.values()}
        return list(shown.values())

    @property
    def questions(self) -> list[Question]:
        return [one.question for one in self.controls.values() if one.becomes in ("question", "spans")]

    def marks(self) -> dict[str, Any]:
        """What critiques have besides their types."""
        found: dict[str, Any] = {}
        for one in self.controls.values():
            names = [str(value) for value in one.question.values]
            if one.becomes == "severity":
                found["severities"] = [{"name": name} for name in names[:10]]
            elif one.becomes == "polarity":
                found["polarities"] = names
            elif one.becomes == "edit":
                found["edit"] = True
        return found


def config_of(text: str) -> Config:
    """The configuration in a text of XML. Raises Unreadable."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Unreadable("the labelling configuration has a document type, which is not read", "config")
    try:
        root = ElementTree.fromstring(text.strip())
    except (ElementTree.ParseError, ValueError) as error:
        raise Unreadable(f"the labelling configuration is not XML: {error}", "config") from None
    config, heading = Config(), ""
    for tag in root.iter():
        if tag.tag == "Header" and not tag.get("value", "$").startswith("$"):
            heading = tag.get("value", "")
        elif tag.get("name") and tag.get("toName"):
            put_control(config, tag, heading)
            heading = ""
        elif tag.get("name") and tag.get("value", "").startswith("$"):
            shown = object_of(tag)
            config.objects[shown.name] = shown
    return config


def object_of(tag: ElementTree.Element) -> Object:
    kind = OBJECTS.get(tag.tag, tag.tag.lower())
    return Object(
        tag.get("name", ""), tag.get("value", "")[1:], kind, tag.get("nameKey", "author"), tag.get("textKey", "text")
    )


def put_control(config: Config, tag: ElementTree.Element, heading: str) -> None:
    name = tag.get("name", "")
    shown = [config.objects[one] for one in tag.get("toName", "").split(",") if one in config.objects]
    question = question_of(tag, name, tag.get("title") or heading, [one.field for one in shown])
    if tag.get("visibleWhen") or tag.get("whenTagName"):
        config.left[f"the condition under which {name} is shown"] = 1
    becomes = becomes_of(tag, question)
    if becomes in ("severity", "polarity") and any(one.becomes == becomes for one in config.controls.values()):
        becomes = "words"
    if becomes == "left":
        config.left[f"answers of {name}: {tag.tag} is not about text"] = 0
        return
    buckets = tuple(one.get("name", "") for one in tag.iter("Bucket"))
    config.controls[name] = Control(name, tag.tag, becomes, question, buckets)


def becomes_of(tag: ElementTree.Element, question: Question) -> str:
    if tag.tag in SPANS:
        return "spans"
    if tag.tag not in ASKED:
        return "left"
    if tag.get("perRegion") != "true":
        return "question"
    if tag.tag == "TextArea":
        return "edit" if EDIT.search(question.name) else "comment"
    values = {str(value) for value in question.values}
    if question.kind == "label" and values and values <= set(POLARITIES):
        return "polarity"
    return "severity" if question.kind == "label" and SEVERITY.search(question.name) else "words"


def question_of(tag: ElementTree.Element, name: str, title: str, on: Iterable[str]) -> Question:
    kind, options = "text", tuple(options_of(tag))
    match tag.tag:
        case "Choices" if options:
            kind = "labels" if tag.get("choice") == "multiple" else "label"
        case "Taxonomy" if options:
            kind = "label" if tag.get("maxUsages") == "1" else "labels"
        case "Rating":
            kind, options = "rating", scale(1, tag.get("maxRating", "5"))
        case "Number" if tag.get("min") and tag.get("max") and scale(tag.get("min"), tag.get("max")):
            kind, options = "rating", scale(tag.get("min"), tag.get("max"))
        case "Pairwise":
            kind = "label"
            options = tuple(Option(side, shown) for side, shown in zip(("left", "right"), on, strict=False))
        case "Ranker":
            kind = "ranking"
        case "Labels" | "HyperTextLabels" | "ParagraphLabels":
            kind = "spans"
    required = tag.get("required") == "true"
    return Question(name, kind, title, tag.get("hint") or "", options, required, tuple(on))


def options_of(tag: ElementTree.Element, path: tuple[str, ...] = ()) -> Iterator[Option]:
    """Choices and labels by what is stored of them: their alias, or else their value; nested ones by their path."""
    for one in tag:
        if one.tag in ("Choice", "Label"):
            stored = one.get("alias") or one.get("value") or ""
            yield Option(PATH.join((*path, stored)), one.get("html") or one.get("value") or "" if not path else "")
            yield from options_of(one, (*path, stored))
        elif one.tag in ("View", "Style", "Filter"):
            yield from options_of(one, path)


def scale(low: Any, high: Any) -> tuple[Option, ...]:
    """The steps between two numbers; none for more than a hundred, or for what is no whole number."""
    try:
        first, last = int(low), int(high)
    except (TypeError, ValueError):
        return ()
    return tuple(Option(n) for n in range(first, last + 1)) if 0 < last - first <= 100 else ()


def inferred(tasks: Iterable[Mapping[str, Any]]) -> Config:
    """What the answers of some tasks tell, where there is no configuration."""
    config = Config(left={"the labelling configuration: none was given, so questions are read from the answers": 1})
    tags: dict[str, ElementTree.Element] = {}
    for task in tasks:
        with suppress(*SHAPE):  # such a task is refused when it is read
            learn_from(config, tags, task)
    for tag in tags.values():
        put_control(config, tag, "")
    return config


def learn_from(config: Config, tags: dict[str, ElementTree.Element], task: Mapping[str, Any]) -> None:
    for key, value in (task.get("data") or {}).items():
        if isinstance(value, str):
            config.objects.setdefault(key, Object(key, key, "text"))
    for said in [*(task.get("annotations") or []), *(task.get("predictions") or [])]:
        for result in said.get("result") or [] if isinstance(said, dict) else []:
            learn(tags, result)


def learn(tags: dict[str, ElementTree.Element], result: Mapping[str, Any]) -> None:
    """Put what one result tells of its control into the tag that it must have had."""
    kind, value, name = result.get("type"), result.get("value") or {}, str(result.get("from_name"))
    if kind not in TAGS:
        return
    tag = tags.setdefault(name, ElementTree.Element(TAGS[kind], {"name": name, "toName": str(result.get("to_name"))}))
    if kind not in SPANNING and ("start" in value or "startOffset" in value):
        tag.set("perRegion", "true")
    given = [one for one in value.get(kind) or [] if isinstance(one, str)] if isinstance(value.get(kind), list) else []
    if kind == "choices" and len(given) > 1:
        tag.set("choice", "multiple")
    known = {one.get("value") for one in tag}
    for one in dict.fromkeys(given):
        if one not in known and kind != "textarea":
            ElementTree.SubElement(tag, "Choice", {"value": one})


SPANNING = ("labels", "hypertextlabels", "paragraphlabels")
TAGS = {
    "labels": "Labels",
    "hypertextlabels": "HyperTextLabels",
    "paragraphlabels": "ParagraphLabels",
    "choices": "Choices",
    "rating": "Rating",
    "textarea": "TextArea",
    "number": "Number",
    "datetime": "DateTime",
    "pairwise": "Pairwise",
}
