"""Adjudication: the tasks on which answers differ, the screen that decides one, and the guidelines with their cases."""

from __future__ import annotations

from difflib import unified_diff
from typing import Any
from uuid import uuid4

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from curation import access
from curation.errors import DomainError, Invalid, NotFound
from curation.models import Project, Protocol, Response, Task
from curation.protocols import POLARITIES
from curation.rendering import markdown
from curation.services import protocols
from curation.services.adjudicating import cases, deciding, edits, finding
from curation.services.adjudicating.elements import REJECTED, Element, Option
from curation.services.desk import asked
from curation.views.items import pictures_in, shown, texts_of
from curation.views.people import own
from workers.critics.voting import read_back

PREFIX, BOUNDS, EDITED = "choice:", "bounds:", "edited:"
LONGEST_WORDS = 240


def key_from(request: HttpRequest) -> int:
    given = request.GET.get("after", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0


@require_safe
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """Disputed tasks, those that differ most first. `?all=1` has those that were decided already too."""
    project = access.project_for(request.user, slug, access.REVIEW)
    everything = bool(request.GET.get("all"))
    found = finding.disputed(project, after=key_from(request), decided=everything)
    done = finding.adjudicated([one.task.pk for one in found.tasks]) if everything else {}
    rows = [{"found": one, "percent": round(100 * one.distance), "done": one.task.pk in done} for one in found.tasks]
    context = {"project": project, "rows": rows, "next": found.next, "everything": everything}
    return render(request, "adjudicate/index.html", context)


def task_of(project: Project, task_id: int) -> Task:
    found = Task.objects.filter(project=project, pk=task_id).select_related("pair__item", "response__item", "item")
    task = found.first()
    if task is None:
        raise NotFound("no such task")
    return task


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, slug: str, task_id: int) -> HttpResponse:
    """One task: everybody's answers, what is disputed first; POST decides and goes on to the next."""
    project = access.project_for(request.user, slug, access.REVIEW)
    task = task_of(project, task_id)
    wrong: dict[str, str] = {}
    if request.method == "POST":
        try:
            return decide(request, project, task)
        except DomainError as error:
            field = str(getattr(error, "field", "") or "")
            wrong = {field: error.detail}
            messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
    return render(
        request, "adjudicate/page.html", context_of(request, project, task, wrong), status=422 if wrong else 200
    )


def context_of(request: HttpRequest, project: Project, task: Task, wrong: dict[str, str]) -> dict[str, Any]:
    answers, elements = deciding.elements(project, task)
    numbers = deciding.numbers_of(task)
    responses = Response.objects.in_bulk(numbers)
    item = task.pair.item if task.pair else task.response.item if task.response else task.item
    assert item is not None
    shape = asked(project.protocol) if project.protocol else None
    given: dict[str, Any] = {n: value for n, value in request.POST.items() if n.startswith((PREFIX, BOUNDS, EDITED))}
    last = deciding.standing(task)
    return {
        "project": project,
        "task": task,
        "item": item,
        "prompt": [(str(m.get("role", "")), shown(str(m.get("content", "")), False)) for m in item.prompt],
        "responses": [card(number, responses[pk]) for pk, number in numbers.items()],
        "rationales": [
            (one.name, one.machine, words, read_back(words) if one.machine else None)
            for one in answers
            if (words := one.annotation.rationale)
        ],
        "disputed": [drawn(one, numbers, given) for one in elements if one.disputed],
        "agreed": [drawn(one, numbers, given) for one in elements if not one.disputed],
        "answers": answers,
        "types": orjson.dumps([{"name": t.name, "color": t.color} for t in shape.critiques.types]).decode()
        if shape
        else "[]",
        "critiques": shape.critiques if shape else None,
        "poles": [(POLARITIES[name], name) for name in shape.critiques.polarities] if shape else [],
        "key": request.POST.get("key") or str(uuid4()),
        "reason": request.POST.get("reason", ""),
        "print": f"{task.pk}:{max((one.annotation.pk for one in answers), default=0)}",
        "last": last,
        "case": getattr(last, "case", None) if last else None,
        "wrong": wrong,
        "keys_off": bool(own(request).keys.get("off")),
    }


def card(number: int, response: Response) -> dict[str, Any]:
    parts = response.as_messages()
    turns = [
        (f"{number - 1}.{n}", str(part.get("role", "")), shown(text, False))
        for n, (part, text) in enumerate(zip(parts, texts_of(response), strict=True))
    ]
    return {
        "number": number,
        "response": response,
        "turns": turns,
        "roles": len(turns) > 1,
        "pictures": pictures_in(parts),
    }


def drawn(element: Element, numbers: dict[int, int], given: dict[str, Any]) -> dict[str, Any]:
    """An element with its options numbered for the keys; those that somebody chose already are ticked."""
    on = f"{numbers[element.response] - 1}.{element.message}" if element.response else ""
    name = PREFIX + element.place
    chosen = given.get(name, "")
    options = [
        as_html(element, option, n, on, ticked=option.key == chosen) for n, option in enumerate(element.options, 1)
    ]
    return {
        "element": element,
        "on": on,
        "options": options,
        "bounds": given.get(BOUNDS + element.place, ""),
        "edits": " ".join(edits.fields_of(element)),
        "edited": given.get(EDITED + element.place, ""),
    }


def as_html(element: Element, option: Option, number: int, on: str, *, ticked: bool) -> SafeString:
    """One option: what it says, by whom. Not a template, since a task may have thousands of them."""
    value, place = option.value, SafeString("")
    if element.kind == "span" and value:
        polarity = "" if value["polarity"] is None else value["polarity"]
        place = format_html(
            '{} data-type="{}" data-polarity="{}"',
            format_html(' data-mark data-on="{}" data-start="{}" data-end="{}"', on, value["start"], value["end"])
            if value["start"] is not None
            else "",
            *(value["type"], polarity),
        )
    severity = value["severity"] if element.kind == "span" and value else ""
    for name, words in (("severity", severity), ("comment", option.comment), ("edit", option.edit)):
        if words:
            place += format_html(' data-{}="{}"', name, words)
    people, machines = ", ".join(option.people), ", ".join(option.machines)
    return format_html(
        '<label class="choice element__option"{}><input type="radio" name="{}" value="{}"{}{}>'
        '<span class="break">{}{}{}</span><span class="hint">{}{}{}{}</span></label>',
        *(place, PREFIX + element.place, option.key),
        SafeString(" checked") if ticked else "",
        SafeString(" data-reject") if option.key == REJECTED else "",
        format_html('<kbd aria-hidden="true">{}</kbd> ', number) if number < 10 else "",
        option.words if len(option.words) <= LONGEST_WORDS else f"{option.words[:LONGEST_WORDS]}…",
        SafeString(' <span class="badge">proposed</span>') if option.key == element.proposal else "",
        people,
        "; " if people and machines else "",
        format_html("<em>{}</em>", machines) if machines else "",
        "" if people or machines else "nobody",
    )


def decide(request: HttpRequest, project: Project, task: Task) -> HttpResponse:
    given: dict[str, Any] = {
        name.removeprefix(PREFIX): v for name, v in request.POST.items() if name.startswith(PREFIX) and v
    }
    deciding.adjudicate(
        project=project, task=task, user=own(request), choices=given, key=request.POST.get("key", ""),
        reason=request.POST.get("reason", ""), bounds=bounds_in(request), edits=edits_in(request),
    )  # fmt: skip
    following = finding.disputed(project, after=task.pk).tasks or finding.disputed(project).tasks
    here = reverse("adjudicate-task", args=[project.slug, task.pk])
    messages.success(request, f"Decided. Task {task.pk} can be quoted in the guidelines from its page.")
    if request.POST.get("stay") or not following:
        return redirect(here if request.POST.get("stay") else reverse("adjudicate", args=[project.slug]))
    return redirect("adjudicate-task", project.slug, following[0].task.pk)


def bounds_in(request: HttpRequest) -> dict[str, list[int]]:
    """Moved ends, as "start,end" for each place. Raises Invalid."""
    found = {}
    for name, value in request.POST.items():
        if name.startswith(BOUNDS) and value:
            place, ends = name.removeprefix(BOUNDS), str(value).split(",")
            if len(ends) != 2 or not all(end.isascii() and end.isdigit() and len(end) < 10 for end in ends):
                raise Invalid("is no start and end", field=place)
            found[place] = [int(end) for end in ends]
    return found


def edits_in(request: HttpRequest) -> dict[str, dict[str, Any]]:
    """What is said otherwise of each place, as a JSON object. Raises Invalid."""
    found = {}
    for name, value in request.POST.items():
        if name.startswith(EDITED) and value:
            place = name.removeprefix(EDITED)
            try:
                found[place] = orjson.loads(str(value))
            except orjson.JSONDecodeError:
                found[place] = None
            if not isinstance(found[place], dict):
                raise Invalid("is no object of fields", field=place)
    return found


@require_POST
def take_back(request: HttpRequest, slug: str, task_id: int) -> HttpResponse:
    project = access.project_for(request.user, slug, access.REVIEW)
    deciding.take_back(task=task_of(project, task_id), user=own(request))
    messages.success(request, "Taken back: the answers decide again.")
    return redirect("adjudicate-task", slug, task_id)


@require_POST
def quote(request: HttpRequest, slug: str, task_id: int) -> HttpResponse:
    """Quote the decision that stands on a task in the guidelines."""
    project = access.project_for(request.user, slug, access.REVIEW)
    last = deciding.standing(task_of(project, task_id))
    if last is None:
        raise NotFound("this task is not decided yet")
    try:
        cases.quote(project=project, adjudication=last, words=request.POST.get("words", ""), user=own(request))
    except DomainError as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
        return redirect("adjudicate-task", slug, task_id)
    messages.success(request, "Quoted in the guidelines.")
    return redirect("guidelines", slug)


@require_POST
def withdraw(request: HttpRequest, slug: str, case_id: int) -> HttpResponse:
    project = access.project_for(request.user, slug, access.REVIEW)
    cases.withdraw(project=project, case_id=case_id)
    return redirect("guidelines", slug)


@require_http_methods(["GET", "HEAD", "POST"])
def guidelines(request: HttpRequest, slug: str) -> HttpResponse:
    """The guidelines as annotators read them, their cases, and what changed; managers write a new version."""
    project = access.project_for(request.user, slug, access.SEE)
    can = access.capabilities(request.user, project)
    if request.method == "POST":
        access.allow(request.user, project, access.MANAGE)
        try:
            protocols.revise_protocol(project=project, guidelines=request.POST.get("guidelines", ""))
        except DomainError as error:
            messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
        return redirect("guidelines", slug)
    protocol = project.protocol
    context = {
        "project": project,
        "protocol": protocol,
        "text": protocol.guidelines if protocol else "",
        "html": markdown(protocol.guidelines) if protocol and protocol.guidelines.strip() else "",
        "cases": [case_of(one) for one in cases.of(project)[: cases.MOST]],
        "history": history(project),
        "can": can,
    }
    return render(request, "adjudicate/guidelines.html", context)


def case_of(case: Any) -> dict[str, Any]:
    """A quoted case: what was asked, the texts, what was decided."""
    annotation = case.adjudication.annotation
    numbers = deciding.numbers_of(annotation.task)
    responses = Response.objects.in_bulk(numbers)
    task = annotation.task
    item = task.pair.item if task.pair else task.response.item if task.response else task.item
    prompt = str(item.prompt[-1].get("content", "")) if item and item.prompt else ""
    return {
        "case": case,
        "words": markdown(case.words),
        "prompt": prompt[:600],
        "responses": [(number, texts_of(responses[pk])[0][:600]) for pk, number in numbers.items()],
        "decided": decided_words(annotation, numbers),
        "task": task,
    }


def decided_words(annotation: Any, numbers: dict[int, int]) -> list[str]:
    from curation.services.adjudicating.elements import in_words, said

    told = [f"{one.axis}: {in_words(one.value)}" for one in annotation.preferences.all()]
    told += [f"{one.question}: {said(None, one.answer)}" for one in annotation.verdicts.all()]
    told += [
        " · ".join(part for part in (one.type, one.severity, f"“{one.quote[:120]}”" if one.quote else "") if part)
        for one in annotation.critiques.all()
    ]
    ranks = sorted(annotation.ranks.all(), key=lambda one: one.rank)
    if ranks:
        told.append("order: " + ", ".join(str(numbers.get(one.response_id, "?")) for one in ranks))
    return told


MOST_VERSIONS = 20


def history(project: Project) -> list[dict[str, Any]]:
    """Versions in which the guidelines changed, the latest first, each with the lines that did."""
    rows = list(Protocol.objects.filter(project=project).order_by("-version").defer("questions")[: MOST_VERSIONS + 1])
    found = []
    for n, made in enumerate(rows[:MOST_VERSIONS]):
        before = rows[n + 1].guidelines if n + 1 < len(rows) else ""
        if made.guidelines != before:
            lines = list(unified_diff(before.splitlines(), made.guidelines.splitlines(), lineterm="", n=1))[2:]
            found.append({"protocol": made, "lines": [(line[:1], line[1:]) for line in lines if line[:1] != "@"]})
    return found
