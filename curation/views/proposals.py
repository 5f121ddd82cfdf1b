"""Curation: the curators, their runs, and what one of them proposes, to be accepted or refused by key."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from curation import access
from curation.errors import DomainError, Invalid, NotFound
from curation.models import ModelVersion, Project, Proposal, Response, Run
from curation.services import fits, starting
from curation.services.curating import asking, deciding, showing
from curation.services.curating.deciding import Wanted
from curation.share_plots import scores_histogram
from curation.views.items import shown, texts_of
from curation.views.people import own
from curation.views.run_forms import field_for, without_none
from workers.curating import Curator, curators

ITS = "its_"
"""Before the names of a curator's own fields, so that none is called like one of the run."""
FITS = 50
TITLES = {"flip": "Flip", "drop": "Drop", "ask": "Ask again", "keep": "Keep"}
DONE = {"accepted": "accepted", "refused": "refused", "open": "open again"}
NEEDS = {"scores": "scores of a model", "embeddings": "vectors of an embedder", "references": "texts to compare with"}


class CurateForm(forms.Form):
    """What a curator asks for, and what every run of one is started with."""

    def __init__(self, *args: Any, curator: Curator, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.curator = curator
        for name, info in curator.params.model_fields.items():
            self.fields[ITS + name] = field_for(name, info, project)
        for name in ("axis", "annotators", "accept"):
            self.fields[name] = field_for(name, asking.CurateParams.model_fields[name], project)
        made = [(str(one.pk), f"The fit of {one.created_at:%-d %B %Y, %H:%M}") for one in fits.finished(project)[:FITS]]
        used = [(fits.IN_USE, "The fit in use")] if project.fit_id else []
        self.fields["decided_by"] = forms.ChoiceField(
            label="Decided by", choices=[(fits.MAJORITY, "The majority of the answers"), *used, *made]
        )
        self.fields["run_seed"] = forms.IntegerField(
            label="Seed", min_value=0, max_value=2**31 - 1, initial=0, required=False
        )

    def its_own(self) -> list[forms.BoundField]:
        return [self[ITS + name] for name in self.curator.params.model_fields]

    def common(self) -> list[forms.BoundField]:
        return [self[name] for name in ("axis", "decided_by", "annotators", "run_seed", "accept")]

    def params(self) -> dict[str, Any]:
        """What was filled in; what was left empty is nothing where it may be, else the curator's default."""
        settings = {}
        for name, info in self.curator.params.model_fields.items():
            value = self.cleaned_data.get(ITS + name)
            if value not in (None, "") or (without_none(info.annotation)[1] and not info.is_required()):
                settings[name] = None if value == "" else value
        run = {name: self.cleaned_data[name] for name in ("axis", "annotators", "accept", "decided_by")}
        chosen = {name: value for name, value in run.items() if value not in (None, "")}
        return {"curator": self.curator.name, "settings": settings, **chosen}

    def blame(self, field: str, detail: str) -> None:
        """Show what was refused beside the field that it names."""
        parts = field.removeprefix("params.").split(".")
        name = ITS + parts[1] if parts[0] == "settings" and len(parts) > 1 else parts[0]
        self.add_error(name if name in self.fields else None, detail[:1].upper() + detail[1:])


@require_safe
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """The curators, and what their runs have proposed."""
    project = access.project_for(request.user, slug, access.READ)
    context = {
        "project": project,
        "curators": [
            {"it": one, "needs": [NEEDS[need] for need in sorted(one.needs) if need in NEEDS]} for one in curators
        ],
        "rows": [row_of(run) for run in showing.runs(project)],
        "may_start": access.FREEZE in access.capabilities(request.user, project),
    }
    return render(request, "curation/index.html", context)


def row_of(run: Run) -> dict[str, Any]:
    """A run as the list tells it."""
    counts = [(TITLES[one.action], one) for one in showing.counts(run)]
    return {"run": run, "title": title_of(run), "counts": counts, "open": sum(one.open for _, one in counts)}


def title_of(run: Run) -> str:
    """The curator's title; of other runs that propose what their method is called."""
    name = run.params.get("curator", "")
    try:
        return curators.get(name).title
    except KeyError:
        return str(name or run.method.replace("-", " ").capitalize())


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, slug: str) -> HttpResponse:
    """The form of one curator, `?curator=`; POST starts a run of it."""
    project = access.project_for(request.user, slug, access.FREEZE)
    try:
        curator = curators.get(request.GET.get("curator", ""))
    except KeyError:
        raise NotFound("no such curator") from None
    data = request.POST if request.method == "POST" else None
    form = CurateForm(data, curator=curator, project=project)
    if data is not None and form.is_valid() and (run := started(form, request, project)):
        return redirect("run", project.slug, run.pk)
    context = {"project": project, "curator": curator, "form": form}
    return render(request, "curation/new.html", context, status=422 if form.errors else 200)


def started(form: CurateForm, request: HttpRequest, project: Project) -> Run | None:
    """The run; or None, and the form says what was refused."""
    seed = form.cleaned_data.get("run_seed") or 0
    try:
        return starting.start(project=project, method=asking.METHOD, params=form.params(), user=own(request), seed=seed)
    except DomainError as error:
        form.blame(error.field, error.detail)
        return None


@require_safe
def page(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponse:
    """What one run proposes: its scores drawn, and proposals of one action, the highest score first."""
    project = access.project_for(request.user, slug, access.READ)
    run = showing.run_in(project, run_id)
    counts = {one.action: one for one in showing.counts(run)}
    wanted = wanted_of(request.GET, counts)
    proposals, following = showing.listed(run, wanted, after_of(request.GET.get("after", "")))
    asked = asked_of(wanted)
    context = {
        **about(request, project, run, wanted),
        "cards": [card(one) for one in proposals],
        "following": f"?{urlencode({**asked, 'after': f'{following[0]!r}:{following[1]}'})}" if following else "",
        "first": f"?{urlencode(asked)}" if request.GET.get("after") else "",
        "plot": plot_of(run, wanted.action),
    }
    return render(request, "curation/page.html", context)


def about(request: HttpRequest, project: Project, run: Run, wanted: Wanted) -> dict[str, Any]:
    """What the page of a run and each of its cards need."""
    counts = showing.counts(run)
    return {
        "project": project,
        "run": run,
        "title": title_of(run),
        "tabs": [{"title": TITLES[one.action], "it": one, "current": one.action == wanted.action} for one in counts],
        "wanted": wanted,
        "chosen": next((one for one in counts if one.action == wanted.action), None),
        "action_title": TITLES.get(wanted.action, "").lower(),
        "states": Proposal.State.choices,
        "may_decide": access.FREEZE in access.capabilities(request.user, project),
        "keys_off": bool(own(request).keys.get("off")),
        "whole_settings": settings_of(run),
    }


def settings_of(run: Run) -> dict[str, Any]:
    """What the curator was set to, models by their names."""
    told = dict(run.params.get("settings", {}))
    names = {name: told[name] for name in ("embedder", "model", "second") if isinstance(told.get(name), int)}
    models = ModelVersion.objects.in_bulk(names.values())
    return told | {name: str(models[pk]) for name, pk in names.items() if pk in models}


def wanted_of(given: Any, counts: dict[str, Any]) -> Wanted:
    """Which proposals an address or a form names: of an action that there is, open ones unless another state is."""
    action = given.get("action", "")
    action = action if action in counts else next(iter(counts), "")
    state = given.get("state", Proposal.State.OPEN)
    state = state if state in Proposal.State.values else ""
    low, high = number_of(given.get("low", "")), number_of(given.get("high", ""))
    if low is not None and high is not None and low > high:
        low, high = high, low
    return Wanted(action, state, low, high)


def asked_of(wanted: Wanted) -> dict[str, Any]:
    """The part of an address that names the same."""
    named = {"action": wanted.action, "state": wanted.state or "all", "low": wanted.low, "high": wanted.high}
    return {name: value for name, value in named.items() if value is not None}


def number_of(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def after_of(text: str) -> tuple[float, int] | None:
    """The score and id behind which a page goes on; None for what no page gave."""
    score, _, pk = text.partition(":")
    found = number_of(score)
    return (found, int(pk)) if found is not None and pk.isascii() and pk.isdigit() and len(pk) < 19 else None


def plot_of(run: Run, action: str) -> dict[str, Any] | None:
    """The scores of an action as bars with the ends of their range, and as numbers."""
    told = run.result.get("scores") or {}
    bins = told.get("bins", {}).get(action)
    if not bins:
        return None
    drawing = scores_histogram(TITLES[action], told["low"], told["high"], bins)
    middle = (told["low"] + told["high"]) / 2
    ends = [f"{value:.3g}" for value in (told["low"], middle, told["high"])]
    return {"drawing": drawing, "ends": ends, "bins": bins}


def card(one: Proposal) -> dict[str, Any]:
    """A proposal with the texts that it is about."""
    sides = [("Preferred", one.chosen), ("The other", one.rejected), ("Response", one.response)]
    prompt = [(str(m.get("role", "")), shown(str(m.get("content", "")), False)) for m in one.item.prompt]
    return {
        "it": one,
        "title": TITLES[one.action],
        "prompt": prompt,
        "responses": [side(name, response) for name, response in sides if response is not None],
    }


def side(name: str, response: Response) -> dict[str, Any]:
    return {"name": name, "model": response.model, "turns": [shown(text, False) for text in texts_of(response)]}


@require_POST
def decide(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponse:
    """Accept, refuse or reopen: one proposal, whose card htmx gets back, or all that the form names."""
    project = access.project_for(request.user, slug, access.FREEZE)
    run = showing.run_in(project, run_id)
    state, given = request.POST.get("to", ""), request.POST.get("proposal", "")
    if state not in DONE:
        raise Invalid(f"must be one of: {', '.join(DONE)}", field="to")
    alone = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None
    chosen = wanted_of(request.POST, {one.action: one for one in showing.counts(run)})
    wanted = Wanted(ids=[showing.find(run, alone).pk]) if alone else Wanted(chosen.action, "", chosen.low, chosen.high)
    wrong = ""
    try:
        count = deciding.decide(run, wanted, state, own(request))
    except DomainError as error:
        wrong = error.detail[:1].upper() + error.detail[1:] + "."
    if alone and getattr(request, "htmx", False):
        context = {**about(request, project, run, chosen), "card": card(showing.find(run, alone)), "wrong": wrong}
        return render(request, "curation/_decided.html", context)
    if wrong:
        messages.error(request, wrong)
    else:
        messages.success(request, f"{count} {DONE[state]}.")
    return redirect(f"{reverse('curation-run', args=[slug, run.pk])}?{urlencode(asked_of(chosen))}")
