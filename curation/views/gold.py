"""Pages of gold for those who manage it: the list, one task with its answers, and one annotator with the evidence."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from curation import access, plots
from curation.errors import DomainError, NotFound
from curation.models import Annotation, Annotator, Gold, Project, User
from curation.rendering import markdown
from curation.services import pausing
from curation.services.gold import checking, clear, marking, pooling, rules, telling
from curation.templatetags.chrome import who
from curation.views.forms import refusals_into
from workers.intervals import Share

SHOWN = 50
FILTERS = {"": "All", "suspect": "Suspect", "training": "Training", "retired": "Taken back"}


class RulesForm(forms.Form):
    """How gold is asked, and what follows; all in percent and whole numbers."""

    rate = forms.IntegerField(
        label="Hidden gold, % of the tasks",
        min_value=0,
        max_value=rules.HIGHEST_RATE,
        help_text="0: none is put among the tasks.",
    )
    pause_below = forms.IntegerField(
        label="Pause below, % right",
        min_value=0,
        max_value=100,
        help_text="Who is right less often, with 95 % confidence, gets no more tasks. 0: never.",
    )
    pause_after = forms.IntegerField(label="Not before so many answers", min_value=5, max_value=1000)
    training = forms.IntegerField(
        label="Tasks of training", min_value=0, max_value=100, help_text="Answered first by whoever is new."
    )
    pass_share = forms.IntegerField(label="Of these right, %", min_value=0, max_value=100)
    tries = forms.IntegerField(label="Rounds before a pause", min_value=1, max_value=10)
    spans = forms.IntegerField(
        label="Marked text is right from, % overlap", min_value=1, max_value=100, help_text="Soft F1 of characters."
    )
    ranks = forms.IntegerField(label="An order is right from, % of pairs", min_value=1, max_value=100)


PART_TITLES = {
    "preferences": "Which response is preferred",
    "verdicts": "Answers to questions, on sentences and steps too",
    "ranks": "The order of a ranking",
    "critiques": "Marked text",
}


class PoolForm(forms.Form):
    most = forms.IntegerField(label="At most so many", min_value=1, max_value=pooling.MOST, initial=50)
    min_votes = forms.IntegerField(label="With answers of so many people", min_value=1, max_value=1000, initial=3)
    min_confidence = forms.IntegerField(
        label="Of whom so many agree, %", min_value=51, max_value=100, initial=80, help_text="On each thing asked."
    )
    parts = forms.MultipleChoiceField(
        label="What is expected, where it is clear",
        widget=forms.CheckboxSelectMultiple,
        help_text="Who is asked it is right if all of it is.",
    )
    phase = forms.ChoiceField(label="To be", choices=Gold.Phase.choices)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        there = clear.parts_of(project)
        self.fields["parts"].choices = [(name, PART_TITLES[name]) for name in there]  # type: ignore[attr-defined]
        self.initial["parts"] = there
        if len(there) == 1:
            del self.fields["parts"]


def managed(request: HttpRequest, slug: str) -> Project:
    return access.project_for(request.user, slug, access.MANAGE)


def somebody(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None


@require_safe
def index(request: HttpRequest, slug: str) -> HttpResponse:
    project = managed(request, slug)
    form = RulesForm(initial=rules.rules_of(project).model_dump())
    return shown(request, project, form, PoolForm(prefix="pool", project=project))


def shown(request: HttpRequest, project: Project, form: RulesForm, pool: PoolForm) -> HttpResponse:
    chosen = request.GET.get("show", "")
    before = request.GET.get("before", "")
    golds = listed(project, chosen)
    if before.isascii() and before.isdigit() and len(before) < 19:
        golds = golds.filter(pk__lt=int(before))
    related = ("task__pair__item", "task__response__item", "task__item", "project__protocol", "made_by")
    found = list(golds.select_related(*related).order_by("-pk")[: SHOWN + 1])
    asked = rules.rules_of(project)
    people = telling.standings(project)
    context = {
        "project": project,
        "form": form,
        "pool": pool,
        "rules": asked,
        "rows": [(gold, telling.opening(gold.task), telling.right_answer(gold)) for gold in found[:SHOWN]],
        "older": found[SHOWN - 1].pk if len(found) > SHOWN else None,
        "chosen": chosen if chosen in FILTERS else "",
        "filters": FILTERS.items(),
        "any": bool(found) or Gold.objects.filter(project=project).exists(),
        "suspect": Gold.objects.filter(project=project, suspect_at__isnull=False, retired_at=None).exists(),
        "people": [(one, in_words(one.all), plotted(one, asked.pause_below)) for one in people],
        "most_people": telling.MOST_PEOPLE,
    }
    return render(request, "gold/index.html", context, status=422 if form.errors or pool.errors else 200)


def listed(project: Project, chosen: str) -> QuerySet[Gold]:
    rows = Gold.objects.filter(project=project)
    if chosen == "retired":
        return rows.filter(retired_at__isnull=False)
    rows = rows.filter(retired_at=None)
    if chosen == "suspect":
        return rows.filter(suspect_at__isnull=False)
    return rows.filter(phase=Gold.Phase.TRAINING) if chosen == "training" else rows


def in_words(share: Share) -> str:
    if share.share is None:
        return "none answered"
    low, high = 100 * (share.low or 0), 100 * (share.high or 0)
    return f"{share.count} of {share.n}, {100 * share.share:.0f} % ({low:.0f} to {high:.0f})"


def plotted(one: telling.Standing, least: int) -> Any:
    if one.all.share is None:
        return ""
    return plots.share_interval(
        str(one.annotator.pk), f"Gold of {who(one.annotator)}", f"{in_words(one.all)}.", one.all, least / 100
    )


@require_POST
def change(request: HttpRequest, slug: str) -> HttpResponse:
    """Set the rules."""
    project = managed(request, slug)
    form = RulesForm(request.POST)
    if form.is_valid():
        with refusals_into(form):
            rules.change_rules(project=project, changes=form.cleaned_data)
            messages.success(request, "Saved.")
            return redirect("gold", slug)
    return shown(request, project, form, PoolForm(prefix="pool", project=project))


@require_POST
def pool(request: HttpRequest, slug: str) -> HttpResponse:
    """Make gold of what is decided."""
    project = managed(request, slug)
    form = PoolForm(request.POST, prefix="pool", project=project)
    if form.is_valid():
        given = dict(form.cleaned_data)
        with refusals_into(form):
            given["min_confidence"] = given["min_confidence"] / 100
            made = pooling.make_from_decisions(project=project, by=somebody(request), **given)
            if made:
                messages.success(request, f"{len(made)} tasks are gold now.")
            else:
                messages.warning(request, "No task has so many answers that agree so far.")
            return redirect("gold", slug)
    return shown(request, project, RulesForm(initial=rules.rules_of(project).model_dump()), form)


@require_POST
def mark(request: HttpRequest, slug: str) -> HttpResponse:
    """Make one task gold, from its item's page: of what is decided, or of one answer."""
    project = managed(request, slug)
    given, source = request.POST, request.POST.get("source", "")
    how: dict[str, Any] = {
        "phase": given.get("phase", Gold.Phase.HIDDEN),
        "explanation": given.get("explanation", ""),
        "by": somebody(request),
    }
    if source == "decided":
        made = marking.mark_decided(project=project, task_id=number(given.get("task", "")), **how)
    else:
        made = marking.mark_from_answer(project=project, annotation_id=number(source), **how)
    messages.success(request, "The task is gold. It has left the queue.")
    return redirect("gold-task", slug, made.pk)


def number(text: str) -> int:
    """Raises NotFound for what is no number of a row."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound("no such task or answer")
    return int(text)


@require_safe
def page(request: HttpRequest, slug: str, gold_id: int) -> HttpResponse:
    """One gold task: what is right, who said what, and why it is suspect if it is."""
    project = managed(request, slug)
    gold = marking.find(project, gold_id)
    item = gold.task.item or (gold.task.pair or gold.task.response).item  # type: ignore[union-attr]
    answers = Annotation.objects.answers().filter(task=gold.task).select_related("annotator__user")
    missed = Annotator.objects.filter(pk__in=gold.suspicion.get("annotators", [])).select_related("user")
    context = {
        "project": project,
        "gold": gold,
        "item": item,
        "opening": telling.opening(gold.task),
        "right": telling.right_answer(gold),
        "why": markdown(gold.explanation) if gold.explanation.strip() else "",
        "results": telling.told(gold.results.all()),
        "answers": list(answers.order_by("-pk")[:SHOWN]),
        "missed": [who(one) for one in missed],
    }
    return render(request, "gold/page.html", context)


@require_POST
def act(request: HttpRequest, slug: str, gold_id: int, what: str) -> HttpResponse:
    """Keep suspect gold, take gold back, or say anew what is right and why."""
    project = managed(request, slug)
    gold = marking.find(project, gold_id)
    this = Gold.objects.filter(pk=gold.pk)
    try:
        if what == "keep":
            marking.keep(golds=this)
            messages.success(request, "It is kept. Answers to it count again.")
        elif what == "retire":
            marking.retire(golds=this)
            messages.success(request, "It is gold no more, and counts for nobody.")
        else:
            if source := request.POST.get("source", ""):
                marking.correct_from(gold=gold, annotation_id=number(source))
            marking.correct(gold=gold, explanation=request.POST.get("explanation", gold.explanation))
            messages.success(request, "It is corrected. All answers to it are judged again.")
    except DomainError as error:
        messages.error(request, f"{error.detail[:1].upper()}{error.detail[1:]}.")
    return redirect("gold-task", slug, gold_id)


@require_safe
def person(request: HttpRequest, slug: str, annotator_id: int) -> HttpResponse:
    """One annotator's answers to gold, and the pause."""
    project = managed(request, slug)
    found = telling.standing_of(project, annotator_id)
    results = telling.told(found.annotator.gold_results.all())
    asked = rules.rules_of(project)
    context = {
        "project": project,
        "one": found,
        "rules": asked,
        "all": in_words(found.all),
        "now": in_words(found.now),
        "plot": plotted(found, asked.pause_below),
        "results": results,
    }
    return render(request, "gold/person.html", context)


@require_POST
def person_act(request: HttpRequest, slug: str, annotator_id: int, what: str) -> HttpResponse:
    """Pause somebody, or let them go on."""
    project = managed(request, slug)
    annotator = telling.standing_of(project, annotator_id).annotator
    if what == "resume":
        checking.resume(annotator)
        messages.success(request, f"{who(annotator)} gets tasks again.")
    else:
        reason = " ".join(request.POST.get("reason", "").replace("\0", "").split())
        pausing.pause(annotator, reason or "Paused by hand.", somebody(request))
        messages.success(request, f"{who(annotator)} gets no more tasks.")
    return redirect("gold-person", slug, annotator_id)


# --- For annotators -------------------------------------------------------------------------------------


@require_safe
def mine(request: HttpRequest, slug: str) -> HttpResponse:
    """What an annotator may know: the own training, and what a pause rests on."""
    project = access.project_for(request.user, slug, access.ANNOTATE)
    annotator = Annotator.objects.filter(project=project, user=request.user).first()  # type: ignore[misc]
    told = telling.told(telling.shown_to(annotator)) if annotator else []
    context = {
        "project": project,
        "annotator": annotator,
        "training": [(one, explained(one)) for one in told if one.gold.phase == Gold.Phase.TRAINING],
        "checks": [(one, explained(one)) for one in told if one.gold.phase == Gold.Phase.HIDDEN],
    }
    return render(request, "gold/mine.html", context)


def explained(one: telling.Told) -> Any:
    words = one.gold.explanation
    return markdown(words) if words.strip() else ""


@require_POST
def objection(request: HttpRequest, slug: str, result_id: int) -> HttpResponse:
    """Say that gold is wrong."""
    project = access.project_for(request.user, slug, access.ANNOTATE)
    annotator = Annotator.objects.filter(project=project, user=request.user).first()  # type: ignore[misc]
    if annotator is None:
        raise NotFound("no such result")
    telling.object_to(annotator=annotator, result_id=result_id, words=request.POST.get("words", ""))
    messages.success(request, "It is kept. Whoever manages the project sees it.")
    return HttpResponseRedirect(f"{reverse('gold-mine', args=[slug])}#result-{result_id}")
