"""What is expected of a task: taken from an answer, or as somebody wrote it, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curation.errors import Invalid
from curation.models import Annotation, Task, TaskKind
from curation.services.desk import asked
from curation.services.gold.reading import SPAN, Said, said_by
from workers.gold import PARTS, SIDES


def expected_from(annotation: Annotation, parts: Sequence[str] = PARTS) -> Said:
    """What an answer says, as it is expected of others: answers in words are not, nor an answer that says nothing."""
    said, found = said_by(annotation), Said()
    wanted = asked(annotation.protocol)
    words = {question.name for question in wanted.questions if question.kind == "text"}
    if said["preferences"] and "preferences" in parts:
        found["preferences"] = {axis: [value] for axis, value in said["preferences"].items()}
    verdicts = [one for one in said["verdicts"] if one["question"] not in words]
    if verdicts and "verdicts" in parts:
        found["verdicts"] = verdicts
    if said["ranks"] and "ranks" in parts:
        found["ranks"] = said["ranks"]
    if said["critiques"] and "critiques" in parts:
        found["critiques"] = said["critiques"]
    return found


def checked(task: Task, given: Any) -> Said:
    """What is expected, as somebody wrote it. Raises Invalid with the path of what is wrong."""
    if not isinstance(given, dict) or not given:
        raise Invalid("must be an object with preferences, verdicts, ranks or critiques", field="expected")
    if unknown := sorted(set(given) - set(PARTS)):
        raise Invalid(f"is not known; there is: {', '.join(PARTS)}", field=f"expected.{unknown[0]}")
    found, responses = Said(), responses_of(task)
    checks = {"preferences": sides, "verdicts": verdicts, "ranks": ranks, "critiques": critiques}
    for name, value in given.items():
        found[name] = checks[name](task, value, responses)
    return found


def responses_of(task: Task) -> dict[int, str]:
    """The texts of the responses that a task is about, by id."""
    if task.pair is not None:
        return {one.pk: one.text for one in (task.pair.first, task.pair.second)}
    if task.response is not None:
        return {task.response.pk: task.response.text}
    assert task.item is not None
    return dict(task.item.responses.filter(deleted_at=None).values_list("pk", "text"))


def sides(task: Task, given: Any, _responses: Mapping[int, str]) -> dict[str, list[str]]:
    axes = axes_of(task)
    if not isinstance(given, dict) or not given:
        raise Invalid("must name the sides that are right for each axis", field="expected.preferences")
    found = {}
    for axis, value in given.items():
        each = [value] if isinstance(value, str) else value
        if axis not in axes:
            raise Invalid(f"is no axis; there is: {', '.join(axes) or 'none'}", field=f"expected.preferences.{axis}")
        if not isinstance(each, list) or not each or any(one not in SIDES for one in each):
            raise Invalid(f"must be among {', '.join(SIDES)}", field=f"expected.preferences.{axis}")
        found[axis] = list(dict.fromkeys(each))
    return found


def axes_of(task: Task) -> list[str]:
    protocol = task.project.protocol
    return protocol.axis_names if protocol and task.kind == TaskKind.PREFERENCE else []


def verdicts(task: Task, given: Any, responses: Mapping[int, str]) -> list[dict[str, Any]]:
    questions = {one.name: one for one in asked(task.project.protocol).questions} if task.project.protocol else {}
    found = []
    for n, one in enumerate(listed(given, "verdicts")):
        path = f"expected.verdicts.{n}"
        question = questions.get(str(one.get("question")))
        if question is None or question.kind == "text":
            raise Invalid("is no question that has an answer to compare", field=f"{path}.question")
        if not question.allows(one.get("answer")):
            raise Invalid(f"is no answer to {question.name}", field=f"{path}.answer")
        start, end = place_in(one, responses, path, needed=question.scope == "unit")
        found.append({"response": one["response"], "question": question.name, "start": start, "end": end})
        found[-1]["answer"] = one["answer"]
    if not found:
        raise Invalid("names no answer", field="expected.verdicts")
    return found


def ranks(task: Task, given: Any, responses: Mapping[int, str]) -> dict[str, int]:
    if task.kind != TaskKind.RANKING or not isinstance(given, dict) or {str(pk) for pk in responses} != set(given):
        raise Invalid("must give each response of the ranking, by its id, a place", field="expected.ranks")
    if any(isinstance(rank, bool) or not isinstance(rank, int) or not 1 <= rank <= 32_767 for rank in given.values()):
        raise Invalid("must be places from 1", field="expected.ranks")
    return dict(given)


def critiques(task: Task, given: Any, responses: Mapping[int, str]) -> list[dict[str, Any]]:
    if not task.project.protocol or not asked(task.project.protocol).critiques.on:
        raise Invalid("critiques are not asked here", field="expected.critiques")
    found = []
    for n, one in enumerate(listed(given, "critiques")):
        start, end = place_in(one, responses, f"expected.critiques.{n}", needed=False)
        kept = {name: one[name] for name in SPAN if isinstance(one.get(name), str | int)}
        found.append({"message": 0, "type": "", **kept, "response": one["response"], "start": start, "end": end})
    return found


def listed(given: Any, name: str) -> list[dict[str, Any]]:
    if not isinstance(given, list) or any(not isinstance(one, dict) for one in given):
        raise Invalid("must be a list of objects", field=f"expected.{name}")
    return given


def place_in(one: Mapping[str, Any], responses: Mapping[int, str], path: str, *, needed: bool) -> tuple[Any, Any]:
    """Start and end, if they are asked for and in the text. Raises Invalid."""
    text = responses.get(one.get("response", 0)) if isinstance(one.get("response"), int) else None
    if text is None:
        raise Invalid(f"must be the id of a response: {', '.join(map(str, responses))}", field=f"{path}.response")
    start, end = one.get("start"), one.get("end")
    if start is None and end is None and not needed:
        return None, None
    whole = type(start) is int and type(end) is int
    if not whole or not 0 <= start <= end or (end > len(text) and not one.get("message")):  # type: ignore[operator]
        raise Invalid(f"must lie within the {len(text)} code points of the text", field=f"{path}.start")
    return start, end


def first_side(expected: Said) -> str:
    """The side that balance goes by: of the first axis, where one side alone is right."""
    each: list[str] = next(iter((expected.get("preferences") or {}).values()), [])
    return each[0] if len(each) == 1 else ""
