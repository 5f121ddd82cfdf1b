"""Pages of the import: choose a file, look at its first rows, import it, read the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from curation import access
from curation.errors import Invalid, NotFound
from curation.models import Project, Run, User
from curation.services import importing
from workers.readers import readers
from workers.readers.columns import USUAL

RECENT = 8
METHODS = ("import", "switch")
"""Runs that have an import's report."""
CARRIED = ("name", "companion", "companion_name")
"""What the address of a preview carries besides its options."""
PAIRINGS = (
    ("auto", "All pairs, a ring from five responses on"),
    ("all", "Every response with every other"),
    ("ring", "A ring: each response with the next"),
    ("first", "The first response with each other"),
)
ORIGIN = ("source", "licence", "source_url")
ROLES = {
    "prompt": "Prompt",
    "response_a": "First response",
    "response_b": "Second response",
    "id": "Id",
    "model_a": "Model of the first",
    "model_b": "Model of the second",
    "winner": "Known winner",
}


class UploadForm(forms.Form):
    """The file, and the file of texts that some formats name by id."""

    file = forms.FileField(label="File", widget=forms.FileInput(attrs={"data-drop": ""}))
    companion = forms.FileField(label="Companion file", required=False)


class OptionsForm(forms.Form):
    """How a file is read: its format, which responses to compare, which column is what; and where it comes from."""

    format = forms.ChoiceField(required=False)
    pairing = forms.ChoiceField(label="Which responses to compare", choices=PAIRINGS, required=False)
    source = forms.CharField(
        label="Source",
        required=False,
        strip=True,
        help_text="What the items come from, such as the name of a published set.",
    )
    licence = forms.CharField(label="Its licence", required=False, help_text="Such as CC-BY-4.0 or Apache-2.0.")
    source_url = forms.CharField(label="Its address", required=False)

    def __init__(self, data: QueryDict, columns: list[str]) -> None:
        super().__init__(data)
        format_field = self.fields["format"]
        assert isinstance(format_field, forms.ChoiceField)
        format_field.choices = [("auto", "Recognise it"), *((reader.name, reader.title) for reader in readers)]
        choices = [("", "—"), *((name, name) for name in columns)]
        for role in USUAL:
            self.fields[role] = forms.ChoiceField(label=ROLES[role], choices=choices, required=False)

    def clean(self) -> dict[str, Any]:
        try:
            importing.origin_from(**self.origin())
        except Invalid as error:
            self.add_error(error.field, sentence(error.detail))
        return self.cleaned_data

    def origin(self) -> dict[str, str]:
        """The source with its licence, as the service takes them."""
        return {name: self.cleaned_data.get(name, "") for name in ORIGIN}

    def asked(self) -> list[forms.BoundField]:
        return [self[name] for name in ORIGIN]

    def carried(self) -> list[forms.BoundField]:
        """What the button to import carries along unseen."""
        return [field for field in self.visible_fields() if field.name not in ORIGIN]

    def mapped(self) -> list[forms.BoundField]:
        return [self[role] for role in USUAL]

    def options(self) -> dict[str, Any]:
        """What the service is told."""
        given = {name: value for name, value in self.cleaned_data.items() if value}
        mapping = {role: given[role] for role in USUAL if role in given}
        return {"format": given.get("format", "auto"), "pairing": given.get("pairing", "auto"), "mapping": mapping}


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request.user, slug, access.FEED)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if request.method == "POST" and form.is_valid():
        try:
            return redirect(kept(request, project, form))
        except Invalid as error:
            form.add_error(error.field if error.field in form.fields else None, sentence(error.detail))
    runs = Run.objects.filter(project=project, method__in=METHODS).select_related("created_by")[:RECENT]
    context = {"project": project, "form": form, "runs": runs, "formats": list(readers)}
    context["max_mb"] = settings.IMPORT_UPLOAD_MB
    return render(request, "imports/index.html", context, status=422 if form.errors else 200)


def kept(request: HttpRequest, project: Project, form: UploadForm) -> str:
    """Store what was uploaded; the address of its preview."""
    file, companion = form.cleaned_data["file"], form.cleaned_data["companion"]
    query = {"name": name_of(file)}
    upload = importing.keep_upload(file.chunks(), user=person(request))
    if companion:
        query["companion"] = str(importing.keep_upload(companion.chunks(), user=person(request)))
        query["companion_name"] = name_of(companion)
    return f"{reverse('import-preview', args=[project.slug, upload])}?{urlencode(query)}"


@require_http_methods(["GET", "HEAD", "POST"])
def look(request: HttpRequest, slug: str, upload: UUID) -> HttpResponse:
    """The preview of an upload under the chosen options; POST imports it."""
    project = access.project_for(request.user, slug, access.FEED)
    path = importing.upload_of(str(upload), user=person(request))
    given = request.POST if request.method == "POST" else request.GET
    companion = companion_of(request, given)
    form = OptionsForm(given, importing.columns_of(path))
    options = form.options() if form.is_valid() else {}
    context: dict[str, Any] = {"project": project, "upload": upload, "form": form, "bytes": path.stat().st_size}
    context |= {"given": given, "carried": [(name, given.get(name, "")) for name in CARRIED]}
    try:
        if request.method == "POST" and form.is_valid():
            return started(project, request, path, companion, options | form.origin())
        preview = importing.preview(path=path, companion=companion, kind=project.kind, **options)
        context |= {"preview": preview, "nothing_lands": preview.whole and preview.refused == preview.looked_at}
    except Invalid as error:
        context["trouble"] = error
    status = 422 if request.method == "POST" else 200
    return render(request, "imports/preview.html", context, status=status)


def started(
    project: Project, request: HttpRequest, path: Path, companion: Path | None, options: dict[str, Any]
) -> HttpResponse:
    name = request.POST.get("name", "")[:200].replace("\0", "")
    run = importing.request_import(
        project=project,
        user=person(request),
        path=path,
        filename=name,
        companion=companion,
        move=True,
        **options,
    )
    return redirect("import-report", project.slug, run.pk)


@require_safe
def report(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponse:
    """How an import goes and how it went; for htmx, which asks every second, only what changes."""
    project = access.project_for(request.user, slug, access.READ)
    run = import_in(project, run_id)
    can = access.capabilities(request.user, project)
    context = {"project": project, "run": run, "can": can, "cards": cards(run), "problems": problems(run)}
    fragment = getattr(request, "htmx", False)
    return render(request, "imports/_report.html" if fragment else "imports/report.html", context)


@require_safe
def rejected(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponseBase:
    """Every row that was refused, with its line, field and reason, one JSON object a line."""
    project = access.project_for(request.user, slug, access.READ)
    path = import_in(project, run_id).folder / "rejected.jsonl"
    if not path.is_file():
        raise NotFound("nothing was rejected")
    name = f"rejected-{str(run_id)[:8]}.jsonl"
    return FileResponse(path.open("rb"), as_attachment=True, filename=name, content_type="application/x-ndjson")


def cards(run: Run) -> list[tuple[str, int]]:
    """What an import did, in numbers."""
    names = ("created", "updated", "unchanged", "rejected", "votes", "answers", "tasks")
    return [(name, run.result.get(name, 0)) for name in names]


def problems(run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run.result.get("problems", [])
    return found[:200]


def import_in(project: Project, run_id: UUID) -> Run:
    found = Run.objects.select_related("created_by").filter(project=project, pk=run_id, method__in=METHODS).first()
    if found is None:
        raise NotFound("no such import")
    return found


def companion_of(request: HttpRequest, given: QueryDict) -> Path | None:
    name = given.get("companion", "")
    return importing.upload_of(name, user=person(request)) if name else None


def person(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None


def name_of(file: UploadedFile) -> str:
    return (file.name or "upload")[:200]


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
