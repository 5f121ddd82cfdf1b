"""A project's protocol: checked as a whole, revised into new versions, and told apart from the version before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from pydantic import ValidationError as ShapeError

from curation.errors import Conflict, Invalid
from curation.models import Act, Project, Protocol, Task, TaskKind
from curation.protocols import Asked, Critiques, Question
from curation.services import auditing, relabelling

ASKED = ("unit", "critiques", "questions", "help")
SCALE = ("strengths", "allow_tie", "allow_both_bad", "rationale")
REVISABLE = ("guidelines", "axes", *SCALE, *ASKED)
MOST_AXES = 8
AXIS_NAME = re.compile(r"^[-a-zA-Z0-9_]{1,40}$")
LONGEST_QUESTION = 300
LONGEST_GUIDELINES = 50_000

Faults = dict[str, str]
"""What is wrong, by the path of its field: `critiques.types.2.name`."""


@transaction.atomic
def revise_protocol(
    *, project: Project, relabelled: Mapping[str, Any] | None = None, kind: str | None = None, **changes: Any
) -> Protocol:
    """The next version of the protocol, with `changes`; the current one when they change nothing.

    `relabelled` says as which labels of the new version those of earlier answers are read (see `relabelling`).
    Another `kind` of task is possible as long as there is no task.
    """
    if unknown := sorted(set(changes) - set(REVISABLE)):
        raise Invalid(f"unknown; may be changed: {', '.join(REVISABLE)}", field=unknown[0])
    locked = Project.objects.select_for_update(of=("self",)).get(pk=project.pk)
    if kind is not None and kind != locked.kind:
        change_kind(locked, kind)
        project.kind = kind
    current = locked.protocol
    values = checked(values_of(current) | changes, locked.kind)
    reading = relabelling.checked(locked, values, relabelled or {})
    if current and not reading and values == values_of(current):
        return current
    last = locked.protocols.aggregate(last=Max("version"))["last"] or 0
    preset = current.preset if current else ""
    made = Protocol(project=locked, version=last + 1, preset=preset, relabelled=reading, **values)
    try:
        made.full_clean(exclude=["project"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Invalid(messages[0], field=field) from error
    made.save()
    locked.protocol = project.protocol = made
    locked.save(update_fields=["protocol"])
    auditing.record(Act.PROTOCOL_CHANGED, project=locked, thing=made, version=made.version, fields=sorted(changes))
    return made


def change_kind(project: Project, kind: str) -> None:
    """What one task is. Raises Conflict once there are tasks."""
    if kind not in TaskKind.values:
        raise Invalid(f"must be one of {', '.join(TaskKind.values)}", field="kind")
    if Task.objects.filter(project=project).exists():
        raise Conflict("there are tasks already, so what one task is stays as it is", field="kind")
    project.kind = kind
    project.save(update_fields=["kind"])


def values_of(protocol: Protocol | None) -> dict[str, Any]:
    """All that may be changed of a protocol, with its JSON columns in their full shape."""
    made = protocol or Protocol()
    values = {name: getattr(made, name) for name in REVISABLE}
    return values | Asked.model_validate({name: values[name] for name in ASKED}).model_dump()


def fresh() -> dict[str, Any]:
    """The values of a protocol of which nothing was said."""
    return values_of(None)


# --- Checking -----------------------------------------------------------------------------------------


def checked(values: dict[str, Any], kind: str) -> dict[str, Any]:
    """The values in their full shape. Raises Invalid with the path of the first field at fault."""
    for field, words in faults_of(values, kind).items():
        raise Invalid(words, field=field)
    return values | Asked.model_validate({name: values[name] for name in ASKED}).model_dump()


def faults_of(values: Mapping[str, Any], kind: str) -> Faults:
    """Everything that is wrong with a protocol, by the path of the field; nothing when it may be saved."""
    found: Faults = {}
    for field, words in [*scale_faults(values), *axis_faults(values["axes"]), *asked_faults(values, kind)]:
        found.setdefault(field, words)
    return found


def scale_faults(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    guidelines, strengths = values["guidelines"], values["strengths"]
    if not isinstance(guidelines, str) or "\0" in guidelines:
        yield "guidelines", "must be text"
    elif len(guidelines) > LONGEST_GUIDELINES:
        yield "guidelines", f"at most {LONGEST_GUIDELINES} characters"
    if type(strengths) is not int or not 1 <= strengths <= 3:
        yield "strengths", "must be 1, 2 or 3"
    for name in ("allow_tie", "allow_both_bad"):
        if not isinstance(values[name], bool):
            yield name, "must be true or false"
    if values["rationale"] not in Protocol.Rationale.values:
        yield "rationale", f"must be one of {', '.join(Protocol.Rationale.values)}"


def axis_faults(axes: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(axes, list) or not 1 <= len(axes) <= MOST_AXES:
        yield "axes", "one to eight axes are needed"
        return
    seen: set[str] = set()
    for number, axis in enumerate(axes):
        at = f"axes.{number}"
        if not is_axis(axis):
            yield at, "each axis needs its own name and a question"
            continue
        if not AXIS_NAME.match(axis["name"]):
            yield f"{at}.name", "up to 40 letters, digits, hyphens and underscores"
        elif axis["name"] in seen:
            yield f"{at}.name", "another axis has this name"
        seen.add(axis["name"])
        if not axis["question"].strip():
            yield f"{at}.question", "say what is asked"
        elif len(axis["question"]) > LONGEST_QUESTION or "\0" in axis["question"]:
            yield f"{at}.question", f"at most {LONGEST_QUESTION} characters"


def is_axis(axis: Any) -> bool:
    return (
        isinstance(axis, dict)
        and set(axis) == {"name", "question"}
        and isinstance(axis["name"], str)
        and isinstance(axis["question"], str)
    )


WORDS = {
    "missing": "is needed",
    "extra_forbidden": "is not known here",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "string_type": "must be text",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
}


def asked_faults(values: Mapping[str, Any], kind: str) -> Iterator[tuple[str, str]]:
    """What is wrong with the JSON columns: each shape, then names and references, then the whole."""
    given = {name: values[name] for name in ASKED}
    clear = True
    for field, words in together(given):
        clear = False
        yield field, words
    try:
        asked = Asked.model_validate(given)
    except ShapeError as error:
        for problem in error.errors(include_url=False, include_context=True, include_input=True):
            if clear or problem["type"] != "value_error":
                yield path_of(problem["loc"]), in_words(problem)
        return
    yield from answers_faults(asked)
    nothing = not asked.critiques.on and not asked.questions and values["rationale"] == Protocol.Rationale.OFF
    if kind == TaskKind.RESPONSE and nothing:
        yield "questions", "ask for critiques, a question or a rationale"


def path_of(loc: Sequence[int | str]) -> str:
    """Where a problem is, without the names of types that a union adds."""
    parts = [str(part) for part in loc]
    if len(parts) > 2 and parts[0] == "questions" and parts[2] in ("when", "stop", "comment_for"):
        parts = parts[:3]
    return ".".join(parts)


def in_words(problem: Any) -> str:
    """A problem of the shape as a person reads it."""
    last = problem["loc"][-1] if problem["loc"] else ""
    kind, message = problem["type"], str(problem["msg"])
    if kind == "string_pattern_mismatch" and last == "key":
        return "one key: a digit from 1 or a small letter; of a critique’s labels not a e n p s u x"
    if kind == "string_pattern_mismatch":
        return "give it a name" if not problem["input"] else "no | in it, and no space at its ends"
    if kind == "literal_error":
        return message.replace("Input should be", "must be")
    if kind in WORDS:
        return WORDS[kind]
    words = message.removeprefix("Value error, ").replace("Input should be", "must be")
    return words.replace("String should have", "must have").replace("List should have", "must have")


def together(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and keys that are there twice, and questions that do not fit; on input of any shape."""
    critiques = given["critiques"] if isinstance(given["critiques"], dict) else {}
    for name in ("types", "severities"):
        yield from labels_twice(critiques.get(name), f"critiques.{name}")
    questions = given["questions"] if isinstance(given["questions"], list) else []
    yield from labels_twice(questions, "questions")
    before: set[Any] = set()
    for number, question in enumerate(questions):
        if not isinstance(question, dict):
            continue
        at = f"questions.{number}"
        name, kind = str(question.get("name") or ""), question.get("kind", "yesno")
        yield from labels_twice(question.get("options"), f"{at}.options")
        if name in ("critique", "skip", "answered"):
            yield f"{at}.name", "choose another name"
        if kind in ("choice", "choices") and not question.get("options"):
            yield f"{at}.options", "options are needed"
        low, high = question.get("low", 1), question.get("high", 5)
        if kind == "rating" and isinstance(low, int) and isinstance(high, int) and not low < high <= low + 100:
            yield f"{at}.high", "must be above the lowest, by at most 100"
        if question.get("scope") == "unit" and given["unit"] not in ("sentence", "step"):
            yield f"{at}.scope", "asked of each unit, so what is judged must be sentences or steps"
        when = question.get("when")
        if isinstance(when, dict) and (unknown := sorted(map(str, set(when) - before))):
            yield f"{at}.when", f"depends on {', '.join(unknown)}, not asked before"
        before.add(name)


def labels_twice(labels: Any, at: str) -> Iterator[tuple[str, str]]:
    names: set[str] = set()
    keys: set[str] = set()
    for number, label in enumerate(labels if isinstance(labels, list) else []):
        if not isinstance(label, dict):
            continue
        name, key = label.get("name"), label.get("key")
        if isinstance(name, str) and name and name in names:
            yield f"{at}.{number}.name", f"“{name}” is there already"
        if isinstance(key, str) and key and key in keys:
            yield f"{at}.{number}.key", f"“{key}” chooses another"
        names.add(str(name))
        keys.add(str(key))


def answers_faults(asked: Asked) -> Iterator[tuple[str, str]]:
    """Conditions and stops that name an answer which nobody can give."""
    by_name = {question.name: question for question in asked.questions}
    for number, question in enumerate(asked.questions):
        for name, answers in question.when.items():
            for answer in answers:
                if not possible(by_name[name], answer):
                    yield f"questions.{number}.when", f"“{shown(answer)}” is not an answer of “{name}”"
            if not answers:
                yield f"questions.{number}.when", f"say after which answers of “{name}” it is asked"
        for answer in question.comment_for:
            if not possible(question, answer):
                yield f"questions.{number}.comment_for", f"“{shown(answer)}” is not an answer of this question"
        if question.stop is not None and not question.allows(question.stop):
            yield f"questions.{number}.stop", f"“{shown(question.stop)}” is not an answer of this question"


def possible(question: Question, answer: Any) -> bool:
    return question.kind not in ("text", "choices") and question.allows(answer)


def shown(answer: Any) -> str:
    """An answer as a person writes it."""
    return {True: "yes", False: "no"}[answer] if isinstance(answer, bool) else str(answer)


# --- Telling versions apart ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two versions: what came, went or changed."""

    what: str
    of: str
    name: str = ""
    how: str = ""

    def __str__(self) -> str:
        name = f" “{self.name}”" if self.name else ""
        how = f": {self.how}" if self.how else ""
        return f"{self.of}{name} {self.what}{how}"


TITLES = {
    "guidelines": "Guidelines",
    "strengths": "Scale",
    "allow_tie": "Tie",
    "allow_both_bad": "Both bad",
    "rationale": "Rationale",
    "unit": "What is judged",
    "help": "Models’ suggestions",
}
FIELDS = {"label": "words", "about": "explanation", "color": "colour"}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What came, went and changed from one version's values to another's."""
    found: list[Change] = []
    for name, title in TITLES.items():
        if before[name] != after[name]:
            found.append(Change("changed", title, how=how(name, before[name], after[name])))
    found += listed("Axis", before["axes"], after["axes"])
    old, new = before["critiques"], after["critiques"]
    if old["on"] != new["on"]:
        found.append(Change("came" if new["on"] else "went", "Critiques"))
    found += listed("Type", old["types"], new["types"])
    found += listed("Severity", old["severities"], new["severities"])
    for name in Critiques.model_fields:
        if name not in ("on", "types", "severities") and old[name] != new[name]:
            found.append(Change("changed", "Critiques", name=name, how=how(name, old[name], new[name])))
    found += listed("Question", before["questions"], after["questions"])
    for question in after["questions"]:
        earlier = next((q for q in before["questions"] if q["name"] == question["name"]), None)
        if earlier:
            found += listed(f"Option of {question['name']}:", earlier["options"], question["options"])
    return found


def how(name: str, before: Any, after: Any) -> str:
    """From what to what, where that is short."""
    if name == "guidelines":
        return ""
    return f"{briefly(before)} → {briefly(after)}"


def briefly(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {briefly(inner)}" for key, inner in value.items())
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)


def listed(of: str, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[Change]:
    """Differences of two lists of named things."""
    old = {entry["name"]: entry for entry in before}
    new = {entry["name"]: entry for entry in after}
    found = [Change("came", of, name) for name in new if name not in old]
    found += [Change("went", of, name) for name in old if name not in new]
    for name, entry in new.items():
        fields = [key for key in entry if key != "options" and entry[key] != old.get(name, entry).get(key)]
        if name in old and fields:
            found.append(Change("changed", of, name, ", ".join(FIELDS.get(key, key) for key in fields)))
    kept = [name for name in old if name in new]
    if kept != [name for name in new if name in old]:
        found.append(Change("changed", of, how="the order"))
    return found
