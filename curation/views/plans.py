"""Plans: the list with the form that starts one, the board of one, and two side by side."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from curation import access, plan_plots
from curation.errors import DomainError, NotFound
from curation.models import PairAttributes, Plan, PlanPair, Project
from curation.services.method import Method
from curation.services.planning import asking, telling
from curation.services.planning.recipe import Recipe, recipe_of, recipes
from curation.services.plans import attributing
from curation.views.people import own
from curation.views.run_forms import Lines, RunForm
from workers import attributing as attributes

SHOWN = 50


class PlanForm(RunForm):
    """The settings of a recipe; who does the work is settled by each run."""

    def __init__(self, *args: Any, recipe: Recipe, project: Project, **kwargs: Any) -> None:
        as_method = Method(name=recipe.name, title=recipe.title, params=recipe.params)
        super().__init__(*args, method=as_method, project=project, **kwargs)
        del self.fields["run_queue"]

    def common(self) -> list[Any]:
        return [self["run_seed"]]


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """The plans of a project and what can be started; POST starts one."""
    project = access.project_for(request.user, slug, access.READ)
    may_act = access.MANAGE in access.capabilities(request.user, project)
    (recipe,) = recipes().values()
    if request.method == "POST":
        access.allow(request.user, project, access.MANAGE)
    form = PlanForm(request.POST or None, recipe=recipe, project=project) if may_act else None
    if request.method == "POST" and form is not None and form.is_valid():
        try:
            plan = asking.start(
                project=project,
                method=recipe.name,
                params=form.params(),
                user=own(request),
                seed=form.cleaned_data["run_seed"] or 0,
            )
            return redirect("plan", slug, plan.pk)
        except DomainError as error:
            form.blame(error.field, error.detail)
    before = request.GET.get("before", "")
    plans = telling.plans_of(project.pk, int(before) if before.isdecimal() and len(before) < 19 else 0, SHOWN + 1)
    context = {
        "project": project,
        "plans": plans[:SHOWN],
        "before": plans[SHOWN - 1].pk if len(plans) > SHOWN else None,
        "form": form,
        "recipe": recipe,
        "titles": {name: one.title for name, one in recipes().items()},
    }
    return render(request, "plans/index.html", context, status=422 if form is not None and form.errors else 200)


@require_safe
def page(request: HttpRequest, slug: str, plan_id: int) -> HttpResponse:
    """The board of a plan. While it is live, the page asks for it anew."""
    project = access.project_for(request.user, slug, access.READ)
    plan = asking.find(project, plan_id)
    board = telling.board(plan)
    recipe = recipe_of(plan)
    may_act = access.MANAGE in access.capabilities(request.user, project)
    context = {
        "project": project,
        "plan": plan,
        "board": board,
        "title": recipe.title,
        "paper": recipe.paper,
        "at": recipe.stages[plan.stage].title if plan.stage in recipe.stages else plan.stage,
        "plot": plan_plots.accuracies(board.accuracies) if board.accuracies else "",
        "ground": f"{100 * plan_plots.ground(board.accuracies):.0f}",
        "accuracies": [(number, plan_plots.said(one)) for number, one in board.accuracies],
        "roles": [(role.label, board.roles[role]) for role in PlanPair.Role if board.roles.get(role)],
        "others": [one for one in telling.plans_of(project.pk, most=20) if one.pk != plan.pk],
        "pools": asking.pools(own(request), project) if may_act else [],
        "may_act": may_act,
    }
    whole = request.headers.get("HX-Request") != "true"
    return render(request, "plans/page.html" if whole else "plans/_board.html", context)


@require_POST
def go_on(request: HttpRequest, slug: str, plan_id: int) -> HttpResponse:
    """Move a plan; with `without_waiting` it does not wait for the rest of its people."""
    plan = asking.find(access.project_for(request.user, slug, access.MANAGE), plan_id)
    try:
        asking.go_on(plan, own(request), without_waiting=bool(request.POST.get("without_waiting")))
    except DomainError as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
    return redirect("plan", slug, plan.pk)


@require_POST
def stop(request: HttpRequest, slug: str, plan_id: int) -> HttpResponse:
    plan = asking.find(access.project_for(request.user, slug, access.MANAGE), plan_id)
    try:
        asking.cancel(plan, own(request))
        messages.success(request, "The plan is stopped. What was verified, trained and frozen stays.")
    except DomainError as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
    return redirect("plan", slug, plan.pk)


@require_POST
def again(request: HttpRequest, slug: str, plan_id: int) -> HttpResponse:
    """Another plan with the same settings, on the pairs that there are now; of one source, if it is named, or of
    another project that the person manages. `pool` is a project's slug, with its source behind a colon."""
    plan = asking.find(access.project_for(request.user, slug, access.MANAGE), plan_id)
    where, _, source = (request.POST.get("pool") or slug).partition(":")
    project = access.project_for(request.user, where, access.MANAGE)
    try:
        other = asking.again(plan, user=own(request), project=project, source=source)
    except DomainError as error:
        words = f"{error.field.removeprefix('params.')}: {error.detail}" if error.field else error.detail
        messages.error(request, words[:1].upper() + words[1:] + ".")
        return redirect("plan", slug, plan.pk)
    return redirect("plan", where, other.pk)


@require_safe
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Two plans side by side: `?one=&other=`."""
    project = access.project_for(request.user, slug, access.READ)
    one, other = (named(request, project, name) for name in ("one", "other"))
    found = telling.difference(one, other)
    context = {
        "project": project,
        "one": one,
        "other": other,
        "found": found,
        "accuracies": [
            (number, *(plan_plots.said(share) if share else "–" for share in shares))
            for number, *shares in found.accuracies
        ],
        "most": telling.MOST_COMPARED,
    }
    return render(request, "plans/compare.html", context)


def named(request: HttpRequest, project: Project, name: str) -> Plan:
    given = request.GET.get(name, "")
    if not given.isdecimal() or len(given) > 18:
        raise NotFound("no such plan")
    return asking.find(project, int(given))


# --- Attributes of pairs ------------------------------------------------------------------------------


class AttributesForm(forms.Form):
    """The five attributes of a pair; phrases one a line."""

    category = forms.ChoiceField(choices=[(one, one) for one in attributes.CATEGORIES])
    objectivity = forms.ChoiceField(choices=[(one, one) for one in attributes.OBJECTIVITY])
    controversiality = forms.ChoiceField(choices=[(one, one) for one in attributes.CONTROVERSIALITY])
    desired = Lines(help_text="What users want in a good answer here: 1 to 5 phrases, one a line.")
    guideline = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4}), help_text="By which a third person could choose; at most 80 words."
    )


@require_safe
def pairs(request: HttpRequest, slug: str, plan_id: int) -> HttpResponse:
    """The pairs that a plan took, with what is known of them, some at a time."""
    project = access.project_for(request.user, slug, access.READ)
    plan = asking.find(project, plan_id)
    after = request.GET.get("after", "")
    rows = PlanPair.objects.filter(plan=plan, pk__gt=int(after) if after.isdecimal() and len(after) < 19 else 0)
    found = list(rows.select_related("task__pair__item", "task__pair__attributes").order_by("pk")[: SHOWN + 1])
    context = {
        "project": project,
        "plan": plan,
        "rows": found[:SHOWN],
        "after": found[SHOWN - 1].pk if len(found) > SHOWN else None,
        "may_act": access.REVIEW in access.capabilities(request.user, project),
    }
    return render(request, "plans/pairs.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def pair(request: HttpRequest, slug: str, plan_id: int, task_id: int) -> HttpResponse:
    """One pair with its attributes, who changed them, and the form that does."""
    project = access.project_for(request.user, slug, access.REVIEW)
    plan = asking.find(project, plan_id)
    row = attributing.pair_of(plan, task_id)
    known = PairAttributes.objects.filter(pair=row.task.pair).select_related("model").first()
    form = AttributesForm(request.POST or None, initial=attributing.values(known))
    if form.is_bound and form.is_valid():
        try:
            attributing.edit(plan, task_id, form.cleaned_data, own(request))
            messages.success(request, "The attributes are changed.")
            return redirect("plan-pairs", slug, plan.pk)
        except DomainError as error:
            form.add_error(error.field if error.field in form.fields else None, error.detail)
    edits = list(known.edits.select_related("by")[:SHOWN]) if known else []
    context = {"project": project, "plan": plan, "row": row, "known": known, "form": form, "edits": edits}
    return render(request, "plans/pair.html", context, status=422 if form.errors else 200)
