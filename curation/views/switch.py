"""Pages of the switch from another tool: choose its export, look at what becomes of it, make the project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from curation.errors import Forbidden, Invalid
from curation.models import Protocol, Run, User
from curation.services import importing, switching
from curation.views.forms import refusals_into
from curation.views.imports import name_of, sentence
from curation.views.people import own
from workers.switching import tools

CARRIED = ("file", "config", "config_name")
"""What the address of a preview carries besides its options."""
KINDS = {
    "preference": "Compare two responses",
    "response": "Judge one response",
    "ranking": "Order all responses to a prompt",
}


class UploadForm(forms.Form):
    """The export, and its settings where they are a file apart."""

    file = forms.FileField(label="Export", widget=forms.FileInput(attrs={"data-drop": ""}))
    config = forms.FileField(label="Settings", required=False)


class OptionsForm(forms.Form):
    """The tool, and which fields are what."""

    tool = forms.ChoiceField(label="From", required=False)
    response_fields = forms.CharField(label="Responses", required=False, max_length=2000)
    prompt_fields = forms.CharField(label="Prompt", required=False, max_length=2000)

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        choices = [("auto", "Recognise it"), *((tool.name, tool.title) for tool in tools)]
        self.fields["tool"] = forms.ChoiceField(label="From", choices=choices, required=False)

    def asked(self, request: HttpRequest, upload: UUID, given: Mapping[str, str]) -> switching.Asked:
        """The export with these options. Raises NotFound for an upload that is gone."""
        user, told = own(request), self.cleaned_data
        beside = {}
        if given.get("config"):
            beside[given.get("config_name") or "config.xml"] = importing.upload_of(given["config"], user=user)
        return switching.Asked(
            path=importing.upload_of(str(upload), user=user),
            name=given.get("file") or "export",
            tool=told["tool"] or "auto",
            wanted=switching.wanted_from(told["prompt_fields"], told["response_fields"]),
            beside=beside,
        )


class ProjectForm(forms.Form):
    name = forms.CharField(max_length=160)
    slug = forms.SlugField(
        label="Address",
        max_length=80,
        help_text="The address of an earlier switch brings what is new since then.",
        widget=forms.TextInput(attrs={"data-slug-of": "id_name", "autocapitalize": "off", "spellcheck": "false"}),
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    user = maker(request)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if request.method == "POST" and form.is_valid():
        with refusals_into(form):
            return redirect(kept(user, form))
    context = {"form": form, "tools": list(tools), "max_mb": settings.IMPORT_UPLOAD_MB}
    return render(request, "switch/index.html", context, status=422 if form.errors else 200)


def kept(user: User, form: UploadForm) -> str:
    """Store what was uploaded; the address of its preview."""
    file, config = form.cleaned_data["file"], form.cleaned_data["config"]
    upload = importing.keep_upload(file.chunks(), user=user)
    query = {"file": name_of(file)}
    if config:
        query |= {"config": str(importing.keep_upload(config.chunks(), user=user)), "config_name": name_of(config)}
    return f"{reverse('switch-look', args=[upload])}?{urlencode(query)}"


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def look(request: HttpRequest, upload: UUID) -> HttpResponse:
    """What an upload becomes under the chosen options; POST makes the project."""
    user = maker(request)
    posted = request.method == "POST"
    given = request.POST if posted else request.GET
    options = OptionsForm(given)
    project = ProjectForm(request.POST) if posted else ProjectForm(initial=named_after(given.get("file", "")))
    context: dict[str, Any] = {"upload": upload, "given": given, "form": options, "project": project}
    context["carried"] = [(name, given.get(name, "")) for name in CARRIED]
    try:
        if options.is_valid():
            asked = options.asked(request, upload, given)
            if posted and project.is_valid():
                with refusals_into(project):
                    return made(user, asked, project)
            context |= shown(asked)
    except Invalid as error:
        context["trouble"] = sentence(error.detail)
    return render(request, "switch/look.html", context, status=422 if posted else 200)


def made(user: User, asked: switching.Asked, form: ProjectForm) -> HttpResponse:
    """The project, its rows on their way; an earlier one only for those who may import there."""
    slug = form.cleaned_data["slug"]
    switching.check_may_switch_into(slug, user)
    run: Run = switching.request_switch(asked=asked, user=user, move=True, **form.cleaned_data)
    return redirect("import-report", slug, run.pk)


def shown(asked: switching.Asked) -> dict[str, Any]:
    """What the page tells of an export."""
    seen = switching.look(asked)
    protocol = Protocol(**seen.protocol)
    names = {name: name for name in ("items", "votes", "answers")} | {"suggestions": "of these suggestions of models"}
    names["refused"] = "refused"
    return {
        "seen": seen,
        "protocol": protocol,
        "kind": KINDS[seen.plan.kind],
        "types": [label["label"] or label["name"] for label in protocol.critiques["types"]],
        "cards": [(words, seen.counts[name]) for name, words in names.items()],
        "bytes": asked.path.stat().st_size,
    }


def named_after(file: str) -> dict[str, str]:
    """A name for the project, of its file's."""
    stem = file.split(".")[0].replace("_", " ").replace("-", " ").strip()
    return {"name": stem[:1].upper() + stem[1:160], "slug": "-".join(stem.lower().split())[:80]}


def maker(request: HttpRequest) -> User:
    """Who asks. Raises Forbidden for anybody who may not make projects."""
    user = own(request)
    if not user.is_staff:
        raise Forbidden("only staff may create projects")
    return user
