"""Pages of the registry: the list, the form of a new version, a version with its facts and a box to try it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from curation.errors import DomainError, Forbidden, Invalid
from curation.models import ModelVersion, Project, Run, User
from curation.rendering import markdown
from curation.services import model_config, registry, rounds, running, trying
from curation.services.evaluating import asking, showing
from curation.views.evaluations import cell
from curation.views.runs import waiting

SHOWN = 50


class ModelForm(forms.Form):
    """A new version. What the reference and the configuration may be is told beside the form."""

    name = forms.CharField(
        label="Name", max_length=100, help_text="Small letters, digits, hyphens. A known name gets its next version."
    )
    kind = forms.ChoiceField(label="Kind", choices=ModelVersion.Kind.choices)
    reference = forms.CharField(
        label="Reference", max_length=500, help_text="Where it is: see the examples.", widget=forms.TextInput
    )
    revision = forms.CharField(
        label="Revision",
        max_length=100,
        required=False,
        help_text="Of a model on the Hub: a branch, tag or commit. Its commit is pinned when it is checked.",
    )
    config = forms.CharField(
        label="Configuration",
        required=False,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
        help_text="JSON, with the keys that the kind has.",
    )
    project = forms.ModelChoiceField(
        label="Only for",
        queryset=Project.objects.none(),
        required=False,
        empty_label="Everybody who is signed in",
        help_text="Of a project's models only its members know who may read answers.",
    )
    trust = forms.CharField(
        label="Let its own code run",
        max_length=100,
        required=False,
        help_text="Only for a model that brings Python code and that you trust as you trust this server: "
        "an administrator types the model's name here.",
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["project"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = registry.readable(user).order_by("name")
        if not user.is_superuser:
            del self.fields["trust"]

    def clean_config(self) -> dict[str, Any]:
        return as_object(self.cleaned_data["config"])


def as_object(text: str) -> dict[str, Any]:
    """A JSON object out of a text field. Raises ValidationError."""
    try:
        found = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as error:
        raise forms.ValidationError(f"no JSON: {error}") from None
    if not isinstance(found, dict):
        raise forms.ValidationError("must be a JSON object: {…}")
    return found


@login_required
@require_GET
def index(request: HttpRequest) -> HttpResponse:
    rows = registry.visible(request.user).defer("card").order_by("-pk")
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    if not (retired := "retired" in request.GET):
        rows = rows.filter(retired_at=None)
    found = list(rows[: SHOWN + 1])
    older = found[SHOWN - 1].pk if len(found) > SHOWN else ""
    return render(request, "models/index.html", {"models": found[:SHOWN], "older": older, "retired": retired})


@login_required
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    user = staff(request)
    form = ModelForm(request.POST or None, user=user, initial=request.GET.dict())
    if request.method == "POST" and form.is_valid():
        try:
            version = registry.register(user=user, **form.cleaned_data)
        except Invalid as error:
            form.add_error(error.field if error.field in form.fields else None, error.detail)
        else:
            return redirect("model", version.pk)
    context = {"form": form, "kinds": model_config.explained()}
    return render(request, "models/new.html", context, status=422 if form.errors else 200)


def staff(request: HttpRequest) -> User:
    """Who asks. Raises Forbidden unless it is staff."""
    user = request.user
    if not isinstance(user, User) or not user.is_staff:
        raise Forbidden("only staff does this: models reach files and other hosts")
    return user


@login_required
@require_GET
def page(request: HttpRequest, model_id: int) -> HttpResponse:
    """A version. While it is being checked, htmx asks for its state again every second."""
    version = registry.find(request.user, model_id)
    checking = Run.objects.filter(model=version, method="check-model", state__in=Run.LIVE).first()
    context: dict[str, Any] = {
        "model": version,
        "checking": checking,
        "waiting": waiting(checking) if checking else "",
        "may_act": request.user.is_staff,
    }
    if request.headers.get("HX-Target") == "model-state":
        if checking is None:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "models/_state.html", context)
    context |= {
        "card": markdown(version.card) if version.card else "",
        "uses": registry.users_of(version, request.user),
        "evaluated": version.kind in asking.KINDS,
        "evaluations": [
            (showing.title_of(one.benchmark), cell(one)) for one in showing.of_model(request.user, version)
        ],
        "can_try": request.user.is_staff and can_try(version),
        "positions": rounds.positions_of(version, request.user) if version.kind == ModelVersion.Kind.CRITIC else [],
    }
    return render(request, "models/page.html", context)


def can_try(version: ModelVersion) -> bool:
    ready = version.state == ModelVersion.State.READY and not version.retired_at
    return ready and version.kind != ModelVersion.Kind.POLICY


@login_required
@require_POST
def check(request: HttpRequest, model_id: int) -> HttpResponse:
    return act(request, model_id, lambda version: registry.check(version, user=staff(request)), "A worker looks at it.")


@login_required
@require_POST
def retire(request: HttpRequest, model_id: int) -> HttpResponse:
    return act(request, model_id, registry.retire, "It is retired: no new run can use it, and what it said stays.")


@login_required
@require_POST
def trust(request: HttpRequest, model_id: int) -> HttpResponse:
    typed = request.POST.get("name", "")
    told = "Its own code may run on the workers now. A worker looks at it again."
    return act(request, model_id, lambda version: registry.trust(version, typed=typed, user=staff(request)), told)


def act(request: HttpRequest, model_id: int, verb: Callable[[ModelVersion], object], told: str) -> HttpResponse:
    version = registry.for_staff(request.user, model_id)
    try:
        verb(version)
        messages.success(request, told)
    except DomainError as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
    return redirect("model", version.pk)


@login_required
@require_POST
def begin_try(request: HttpRequest, model_id: int) -> HttpResponse:
    """Queue a try and show where its answer will stand."""
    version = registry.for_staff(request.user, model_id)
    responses = [request.POST.get("first", ""), request.POST.get("second", "")]
    try:
        run = trying.begin(version, prompt=request.POST.get("prompt", ""), responses=responses, user=staff(request))
    except DomainError as error:
        problem = {"model": version, "problem": error.detail}
        return render(request, "models/_tried.html", problem, status=200 if request.headers.get("HX-Request") else 422)
    if request.headers.get("HX-Request"):
        return render(request, "models/_tried.html", {"model": version, "run": run, "waiting": waiting(run)})
    return redirect("model-tried", version.pk, run.pk)


@login_required
@require_GET
def tried(request: HttpRequest, model_id: int, run_id: UUID) -> HttpResponse:
    """What the model said, or that it is still at it; a whole page for a browser without scripts."""
    version = registry.for_staff(request.user, model_id)
    run = trying.tried(version, run_id, staff(request))
    context = {"model": version, "run": run, "waiting": waiting(run), "log": "", "said": said(run)}
    if run.state == Run.State.FAILED:
        context["log"] = running.log_of(run)
    template = "models/_tried.html" if request.headers.get("HX-Request") else "models/tried.html"
    return render(request, template, context)


def said(run: Run) -> list[dict[str, Any]]:
    """Per response its text and what was said of it, its maps as shaded pieces."""
    texts = run.params.get("responses", [])
    return [
        {
            **one,
            "text": text,
            "heat": [
                {"unit": mapped["unit"], "head": mapped["head"], "pieces": trying.shaded(text, mapped)}
                for mapped in one.get("maps", ())
            ],
        }
        for text, one in zip(texts, run.result.get("responses", ()), strict=False)
    ]
