"""The editor of a project's protocol, its live preview, the step that asks about used labels, and the versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from curation import access
from curation.errors import Conflict, Invalid, NotFound
from curation.models import Project, Protocol, TaskKind
from curation.rendering import markdown
from curation.services import protocols, relabelling
from curation.services.label_names import Relabelled
from curation.views import protocol_preview
from curation.views.protocol_fields import MODES, QUESTION_KINDS, Kind
from curation.views.protocol_form import Editor, Flat, arranged, flat_of

MOST_VERSIONS = 200
CARRIED_NOT = ("csrfmiddlewaretoken", "do", "decided")


@dataclass
class Sheet:
    """What is being edited: the form or its JSON, what it says, and what is wrong with it."""

    kind: str
    editor: Editor | None = None
    text: str = ""
    values: dict[str, Any] | None = None
    faults: protocols.Faults = field(default_factory=dict)

    @property
    def right(self) -> dict[str, Any] | None:
        """The values, if they may be saved."""
        return None if self.faults else self.values


# --- The editor ---------------------------------------------------------------------------------------


def editor(request: HttpRequest, slug: str) -> HttpResponse:
    """The form as it is saved; or, posted, after what its button does."""
    project = access.project_for(request.user, slug, access.MANAGE)
    if request.method != "POST":
        return page(request, project, sheet_of(project, values_to_start(project, request.GET.get("from", ""))))
    act, _, path = request.POST.get("do", "look").partition(" ")
    if act in ("add", "up", "down", "remove"):
        flat = arranged(fields(request.POST), act, path)
        made = Sheet(kind_of(project, flat), Editor(flat))
        return page(request, project, made, grown=path if act == "add" else "")
    sheet = sheet_from(project, request.POST)
    if act == "save":
        return save(request, project, sheet)
    if act == "json" and sheet.editor:
        return page(request, project, Sheet(sheet.kind, text=as_json(sheet.editor.values()), values=sheet.values))
    if act == "form" and sheet.right:
        return page(request, project, Sheet(sheet.kind, Editor(flat_of(sheet.right)), values=sheet.right))
    return page(request, project, told(sheet), status=422 if sheet.faults and act == "form" else 200)


def values_to_start(project: Project, number: str) -> dict[str, Any]:
    """The current values, or those of another version to start from."""
    if not number.isdigit():
        return protocols.values_of(project.protocol)
    return protocols.values_of(version_of(project, int(number)))


def sheet_of(project: Project, values: dict[str, Any]) -> Sheet:
    return Sheet(project.kind, Editor(flat_of(values)), values=values)


def fields(posted: Mapping[str, str]) -> Flat:
    return {name: value for name, value in posted.items() if name not in CARRIED_NOT}


def kind_of(project: Project, flat: Mapping[str, str]) -> str:
    """What one task is to be; as it is once there are tasks."""
    wanted = flat.get("kind", "")
    return wanted if wanted in TaskKind.values and not project.task_count else project.kind


def sheet_from(project: Project, posted: Mapping[str, str]) -> Sheet:
    """What was posted, checked."""
    flat = fields(posted)
    sheet = Sheet(kind_of(project, flat))
    if "json" in flat:
        sheet.text = flat["json"].replace("\r\n", "\n")
        read_json(sheet)
    else:
        sheet.editor = Editor(flat)
        sheet.values = sheet.editor.values()
    if sheet.values is not None and not sheet.faults:
        sheet.faults = protocols.faults_of(sheet.values, sheet.kind)
    if sheet.right:
        sheet.values = protocols.checked(sheet.right, sheet.kind)
    return sheet


def read_json(sheet: Sheet) -> None:
    try:
        given = orjson.loads(sheet.text)
    except orjson.JSONDecodeError as error:
        sheet.faults = {"json": f"line {error.lineno}, column {error.colno}: {error.msg}"}
        return
    if not isinstance(given, dict):
        sheet.faults = {"json": "must be an object"}
        return
    sheet.values = protocols.fresh() | given
    sheet.faults = {name: "is not known here" for name in given if name not in protocols.REVISABLE}


def as_json(values: Mapping[str, Any]) -> str:
    ordered = {name: values[name] for name in protocols.REVISABLE}
    return orjson.dumps(ordered, option=orjson.OPT_INDENT_2, default=str).decode()


def told(sheet: Sheet) -> Sheet:
    """With what is wrong at its fields."""
    if sheet.editor:
        sheet.editor.refuse(sheet.faults)
    return sheet


def page(
    request: HttpRequest, project: Project, sheet: Sheet, *, status: int = 200, grown: str = "", stale: bool = False
) -> HttpResponse:
    now = protocols.values_of(project.protocol)
    shown = sheet.right or (sheet.editor.values() if sheet.editor and not sheet.faults else None)
    if shown is None or protocols.faults_of(shown, sheet.kind):
        shown = now
    context = {
        "project": project,
        "version": project.protocol.version if project.protocol else 0,
        "kind": sheet.kind,
        "kind_words": TaskKind(sheet.kind).label,
        "kind_part": None if project.task_count else Kind({"kind": sheet.kind}),
        "editor": sheet.editor,
        "text": sheet.text,
        "faults": sheet.faults,
        "grown": grown,
        "stale": stale,
        **preview_context(project, shown, sheet.kind),
    }
    return render(request, "protocols/page.html", context, status=status)


def preview_context(project: Project, values: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {"preview": protocol_preview.context(project, values, kind)}


@require_POST
def preview(request: HttpRequest, slug: str) -> HttpResponse:
    """A sample task under the protocol as it is posted; what is wrong, where it cannot be shown."""
    project = access.project_for(request.user, slug, access.MANAGE)
    sheet = sheet_from(project, request.POST)
    if not sheet.right:
        return render(request, "protocols/_waits.html", {"faults": sheet.faults})
    return render(request, "protocols/_preview.html", preview_context(project, sheet.right, sheet.kind))


# --- Saving -------------------------------------------------------------------------------------------


def save(request: HttpRequest, project: Project, sheet: Sheet) -> HttpResponse:
    """A new version; where labels go that answers carry, only after it was said what becomes of them."""
    values = sheet.right
    if values is None:
        return page(request, project, told(sheet), status=422)
    before = project.protocol
    if before and request.POST.get("version", "") != str(before.version):
        return page(request, project, sheet, status=409, stale=True)
    effects = relabelling.preview(project, values, sheet.editor.renamed() if sheet.editor else None)
    decisions = {effect.key: request.POST.get(f"to:{effect.key}", "") for effect in effects}
    if not all(decisions.values()):
        return confirm(request, project, values, effects, decisions)
    try:
        made = revise(project, sheet, values, effects, decisions)
    except (Invalid, Conflict) as error:
        sheet.faults = {error.field: error.detail}
        return page(request, project, told(sheet), status=error.status)
    new = before is None or made.pk != before.pk
    words = f"Saved as version {made.version} of the protocol; earlier answers keep theirs."
    messages.success(request, words if new else "Nothing was changed.")
    return redirect("protocol", project.slug)


def revise(
    project: Project,
    sheet: Sheet,
    values: dict[str, Any],
    effects: list[relabelling.Effect],
    decisions: Mapping[str, str],
) -> Protocol:
    relabelled: dict[str, Any] = {}
    for effect in effects:
        decision, _, name = decisions[effect.key].partition(":")
        if decision == "keep":
            continue
        at = relabelled.setdefault(effect.family, {})
        if effect.question:
            at = at.setdefault(effect.question, {})
        at[effect.name] = name if decision == "as" else None
    with transaction.atomic():
        return protocols.revise_protocol(project=project, relabelled=relabelled, kind=sheet.kind, **values)


def confirm(
    request: HttpRequest,
    project: Project,
    values: Mapping[str, Any],
    effects: list[relabelling.Effect],
    decisions: Mapping[str, str],
) -> HttpResponse:
    """What would become of labels that answers carry; each is to be decided on."""
    again = "decided" in request.POST
    rows = [
        {
            "effect": effect,
            "decision": decisions[effect.key] or (f"as:{effect.suggested}" if effect.suggested and not again else ""),
            "missing": again and not decisions[effect.key],
            "as_new": [(f"as:{name}", name) for name in effect.came],
            "as_other": [(f"as:{name}", name) for name in effect.others],
        }
        for effect in effects
    ]
    carried = [(k, v) for k, v in request.POST.items() if k not in CARRIED_NOT and not k.startswith("to:")]
    context = {
        "project": project,
        "rows": rows,
        "carried": carried,
        "next": project.protocol.version + 1 if project.protocol else 1,
        "changes": protocols.differences(protocols.values_of(project.protocol), values),
    }
    return render(request, "protocols/confirm.html", context, status=422 if again else 200)


# --- Versions -----------------------------------------------------------------------------------------


@require_safe
def versions(request: HttpRequest, slug: str) -> HttpResponse:
    """Every version, the latest first, each with what it changed."""
    project = access.project_for(request.user, slug, access.MANAGE)
    found = list(Protocol.objects.filter(project=project).order_by("-version")[: MOST_VERSIONS + 1])
    rows = [
        {
            "protocol": made,
            "changes": changes_of(made, found[n + 1] if n + 1 < len(found) else None),
            "mappings": mappings_of(made.relabelled),
        }
        for n, made in enumerate(found[:MOST_VERSIONS])
    ]
    context = {"project": project, "rows": rows, "more": len(found) > MOST_VERSIONS}
    return render(request, "protocols/versions.html", context)


@require_safe
def version(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One version to read: what it asks, what it changed, and how it reads earlier labels."""
    project = access.project_for(request.user, slug, access.MANAGE)
    found = version_of(project, number)
    before = Protocol.objects.filter(project=project, version=number - 1).first()
    values = protocols.values_of(found)
    context = {
        "project": project,
        "protocol": found,
        "current": found.pk == project.protocol_id,
        "before": before,
        "changes": changes_of(found, before),
        "asked": values,
        "questions": [q | {"words": dict(QUESTION_KINDS)[q["kind"]].lower()} for q in values["questions"]],
        "help_words": dict(MODES)[values["help"]["mode"]].lower(),
        "guidelines": markdown(found.guidelines) if found.guidelines.strip() else "",
        "json": as_json(values),
        "mappings": mappings_of(found.relabelled),
        "open": relabelling.to_look_at_again(found),
        "most": relabelling.MOST_LISTED,
        **preview_context(project, values, project.kind),
    }
    return render(request, "protocols/version.html", context)


def version_of(project: Project, number: int) -> Protocol:
    found = Protocol.objects.filter(project=project, version=number).first() if number < 2**31 else None
    if found is None:
        raise NotFound("no such version of the protocol")
    return found


def changes_of(made: Protocol, before: Protocol | None) -> list[protocols.Change]:
    if before is None:
        return []
    return protocols.differences(protocols.values_of(before), protocols.values_of(made))


def mappings_of(relabelled: Relabelled) -> list[tuple[str, str, str | None]]:
    """Each label that is read otherwise: whose it is, its old name, its new one."""
    found = [
        (relabelling.SINGULAR[family], old, new)
        for family in relabelling.PLAIN
        for old, new in relabelled.get(family, {}).items()
    ]
    for question, mapping in relabelled.get("options", {}).items():
        found += [(f"option of {question}", old, new) for old, new in mapping.items()]
    return found
