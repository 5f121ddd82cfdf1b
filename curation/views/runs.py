"""Long work of a project: the list, one run as it goes, and starting another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import NoReverseMatch, reverse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from curation import access
from curation.errors import Conflict, DomainError, NotFound
from curation.models import ModelVersion, Project, Run, RunLine, Shard, User
from curation.services import health, running, starting
from curation.services.method import Method
from curation.services.methods import FAMILIES, METHODS
from curation.services.pacing import Pace, pace_of
from curation.templatetags.chrome import duration, number
from curation.views import scored, training
from curation.views.run_forms import RunForm

SHOWN = 50
ASIDE_SHOWN = 20
OWN_PAGES = {"import": "imports", "freeze": "version-new", "curate": "curation"}
"""Methods that are started on a page of their own."""
OTHER = "Others"
"""Where a method is offered that belongs to no family."""
SHOWN_ON = {
    "score": ("Open the items", "items"),
    "check": ("Open the checks", "checks"),
    "bias-report": ("Open the report", "bias"),
    "learning-curve": ("Open what next", "next"),
    "decide": ("Open the decisions", "decisions"),
    "curate": ("Open the proposals", "curation-run"),
    "compare": ("Open the comparison", "compared"),
    "verify": ("Open the version", "version"),
    "push": ("Open the version", "version"),
}
"""Where the result of a method is shown: what the button says, and the page."""


# --- The list, and one run --------------------------------------------------------------------------


@require_safe
def index(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request.user, slug, access.READ)
    runs = Run.objects.filter(project=project).select_related("created_by", "model").defer("checkpoint", "result")
    before = moment(request.GET.get("before", ""))
    if before is not None:
        runs = runs.filter(created_at__lt=before)
    found = list(runs[: SHOWN + 1])
    older = found[SHOWN - 1].created_at.isoformat() if len(found) > SHOWN else ""
    context = {
        "project": project,
        "runs": [(run, title_of(run)) for run in found[:SHOWN]],
        "older": older,
        "newer": before is not None,
        "may_start": access.FREEZE in access.capabilities(request.user, project),
    }
    return render(request, "runs/index.html", context)


def moment(text: str) -> datetime | None:
    """A time with its zone out of an address, or None."""
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        return None
    return found if found is not None and found.tzinfo else None


@require_safe
def page(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponse:
    """The run; for htmx, which asks every second while it is live, only what changes."""
    project = access.project_for(request.user, slug, access.READ)
    run = run_in(project, run_id)
    return shown(request, run, may_act=access.FREEZE in access.capabilities(request.user, project))


def title_of(run: Run) -> str:
    method = METHODS.get(run.method)
    return method.title if method else run.method.capitalize()


@require_safe
def work(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """A run on the installation itself; for staff."""
    return shown(request, run_of_staff(request, run_id), may_act=True)


def shown(request: HttpRequest, run: Run, *, may_act: bool) -> HttpResponse:
    pace = pace_of(run)
    method = METHODS.get(run.method)
    doing = training.doing(run)
    context = {
        "project": run.project,
        "run": run,
        "title": title_of(run),
        "pace": pace,
        "doing": doing,
        "facts": [fact for fact in facts_of(run, pace) if not doing or fact[0] != "Time left"],
        "bar": bar_of(run, pace),
        "aside": set_aside(run),
        "more_aside": max(0, run.shards_failed - ASIDE_SHOWN),
        "model": model_link(run.model),
        "params": run.params,
        "may_act": may_act,
        "again": again_address(run, method) if may_act else "",
        "waiting": "" if pace.working else waiting(run),
        "log": running.log_of(run),
        "addresses": addresses(run),
        "told_on": told_on(run),
    }
    if run.project and training.is_training(run):
        context |= training.context_of(run, run.project)
    elif scored.is_scoring(run):
        context |= scored.context_of(run)
    return render(request, "runs/_run.html" if getattr(request, "htmx", False) else "runs/page.html", context)


def addresses(run: Run) -> dict[str, str]:
    """Where the run is watched, read in full, cancelled and tried again: in its project, or among the staff's work."""
    names = ("", "-log", "-cancel", "-retry")
    stem, args = ("run", [run.project.slug, run.pk]) if run.project else ("work", [run.pk])
    return {name.removeprefix("-") or "page": reverse(stem + name, args=args) for name in names}


def told_on(run: Run) -> tuple[str, str] | None:
    """What a button to the page of the result says, and its address; None where the result stands on the run's own."""
    if run.project is None or run.state != Run.State.SUCCEEDED or run.method not in SHOWN_ON:
        return None
    words, page = SHOWN_ON[run.method]
    args: list[Any] = [run.project.slug]
    if page in ("curation-run", "compared"):
        args.append(run.pk)
    elif page == "version":
        args += [run.params["dataset"], run.params["number"]]
    query = {"decide": f"?fit={run.pk}"}.get(run.method, "")
    return words, reverse(page, args=args) + query


def facts_of(run: Run, pace: Pace) -> list[tuple[str, str]]:
    """Speed, time left and cost, as far as they are known."""
    facts = [
        ("Time left", about(pace.left) if pace.left is not None else ""),
        ("Speed of late", speed(pace.lately, run.unit)),
        ("Speed over all", speed(pace.overall, run.unit)),
        ("Tokens a second", number(pace.tokens) if pace.tokens else ""),
        ("Processor time", duration(int(1000 * run.cpu_seconds)) if run.cpu_seconds else ""),
        ("GPU time", duration(int(1000 * run.gpu_seconds)) if run.gpu_seconds else ""),
        ("Tokens read", number(run.tokens) if run.tokens else ""),
        ("Tokens written", number(run.tokens_out) if run.tokens_out else ""),
    ]
    return [(name, value) for name, value in facts if value]


def speed(rate: float | None, unit: str) -> str:
    if not rate:
        return ""
    if unit == "bytes":
        return f"{filesizeformat(rate)}/s"
    return f"{number(rate) if rate >= 100 else f'{rate:.3g}'} {unit}/s"


def about(seconds: float) -> str:
    return f"about {duration(int(1000 * max(1, seconds)))}"


@dataclass(frozen=True)
class Part:
    """One part of the bar of shards, in thousandths of its width."""

    name: str
    words: str
    count: int
    start: int
    width: int


def bar_of(run: Run, pace: Pace) -> list[Part]:
    """How many shards are done, at work, waiting or set aside."""
    rest = "waiting" if run.live else "not done"
    counts = [
        ("done", "done", run.shards_done),
        ("working", "at work", pace.working),
        ("aside", "set aside", run.shards_failed),
        ("waiting", rest, pace.waiting),
    ]
    parts, start = [], 0.0
    for name, words, count in counts:
        if count:
            width = 1000 * count / max(1, run.shards_total)
            parts.append(Part(name, words, count, round(start), max(4, round(width))))
            start += width
    return parts


def set_aside(run: Run) -> list[Shard]:
    if not run.shards_failed:
        return []
    return list(Shard.objects.filter(run=run, state=Shard.State.FAILED).order_by("number")[:ASIDE_SHOWN])


def model_link(model: ModelVersion | None) -> tuple[str, str] | None:
    """The model at work and the address of its page."""
    if model is None:
        return None
    try:
        return str(model), reverse("model", args=[model.pk])
    except NoReverseMatch:
        return str(model), ""


def waiting(run: Run) -> str:
    """Why a run does not go on, if no worker gives a sign of life."""
    if not run.live or (run.state == Run.State.RUNNING and run.holder):
        return ""
    check = health.worker()
    return "" if check.ok else check.words


@require_safe
def log(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponseBase:
    return whole_log(run_in(access.project_for(request.user, slug, access.READ), run_id))


@require_safe
def work_log(request: HttpRequest, run_id: UUID) -> HttpResponseBase:
    return whole_log(run_of_staff(request, run_id))


def whole_log(run: Run) -> HttpResponseBase:
    """Every line of the log, as text."""

    def lines() -> Iterator[str]:
        for line in RunLine.objects.filter(run=run).order_by("id").iterator(chunk_size=1000):
            yield f"{line}\n"

    return StreamingHttpResponse(lines(), content_type="text/plain; charset=utf-8")


# --- Cancelling and trying again --------------------------------------------------------------------


@require_POST
def cancel(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponse:
    run = run_in(access.project_for(request.user, slug, access.FREEZE), run_id)
    return act(request, run, running.cancel, "The run is asked to stop.")


@require_POST
def retry(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponse:
    run = run_in(access.project_for(request.user, slug, access.FREEZE), run_id)
    return act(request, run, running.retry, "The run goes on where it stood.")


@require_POST
def work_cancel(request: HttpRequest, run_id: UUID) -> HttpResponse:
    return act(request, run_of_staff(request, run_id), running.cancel, "The run is asked to stop.")


@require_POST
def work_retry(request: HttpRequest, run_id: UUID) -> HttpResponse:
    return act(request, run_of_staff(request, run_id), running.retry, "The run goes on where it stood.")


def act(request: HttpRequest, run: Run, verb: Callable[[Run], Run], told: str) -> HttpResponse:
    try:
        verb(run)
        messages.success(request, told)
    except Conflict as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
    return redirect(run.address)


def run_in(project: Project, run_id: UUID) -> Run:
    found = Run.objects.select_related("created_by", "project", "model").filter(project=project, pk=run_id).first()
    if found is None:
        raise NotFound("no such run")
    return found


def run_of_staff(request: HttpRequest, run_id: UUID) -> Run:
    found = Run.objects.select_related("created_by", "model").filter(pk=run_id, project=None).first()
    if found is None or not request.user.is_staff:
        raise NotFound("no such run")
    return found


# --- Starting ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Offer:
    """A method that the person may start, and the page that asks for its parameters."""

    title: str
    about: str
    address: str


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, slug: str) -> HttpResponse:
    """What can be started; with `?method=` the form of one method, filled from the run `?again=` if one is named, and
    with parameters that the address names."""
    project = access.project_for(request.user, slug, access.FREEZE)
    if "method" not in request.GET:
        return render(request, "runs/methods.html", {"project": project, "offers": offers(request, project)})
    method = method_named(request.GET["method"], request, project)
    data = request.POST if request.method == "POST" else None
    named = {name: request.GET[name] for name in method.params.model_fields if name in request.GET}
    first = earlier(project, request.GET.get("again", "")) | named
    form = RunForm(data, method=method, project=project, initial=first)
    if data is not None and form.is_valid() and (run := started(form, request, project)):
        return redirect(run.address)
    lacking = training.missing_of(method.name, project)
    context = {"project": project, "method": method, "form": form, "missing": lacking}
    return render(request, "runs/new.html", context, status=422 if form.errors else 200)


def offers(request: HttpRequest, project: Project) -> dict[str, list[Offer]]:
    """What the person may start, by family, each in the order of titles."""
    can = access.capabilities(request.user, project)
    root = reverse("run-new", args=[project.slug])
    found: dict[str, list[Offer]] = {}
    for method in sorted(METHODS.values(), key=lambda method: method.title):
        own = OWN_PAGES.get(method.name)
        if method.needs_project and method.capability in can and (own or method.startable):
            address = reverse(own, args=[project.slug]) if own else f"{root}?method={method.name}"
            family = next((title for title, names in FAMILIES.items() if method.name in names), OTHER)
            found.setdefault(family, []).append(Offer(method.title, method.about, address))
    return {title: found[title] for title in (*FAMILIES, OTHER) if title in found}


def method_named(name: str, request: HttpRequest, project: Project) -> Method:
    """Raises NotFound for what cannot be started here, Forbidden where the role does not allow it."""
    method = METHODS.get(name)
    if method is None or not method.startable or not method.needs_project or name in OWN_PAGES:
        raise NotFound("no such method")
    access.allow(request.user, project, method.capability)
    return method


def earlier(project: Project, run_id: str) -> dict[str, Any]:
    """The parameters of an earlier run of this project, as first values of the form."""
    try:
        run = Run.objects.filter(project=project, pk=UUID(run_id)).first()
    except ValueError:
        return {}
    return {**run.params, "run_queue": run.queue, "run_seed": run.seed} if run else {}


def again_address(run: Run, method: Method | None) -> str:
    """The form that starts such a run again; empty where there is none."""
    if run.live or run.project is None or method is None or not method.startable or method.name in OWN_PAGES:
        return ""
    return f"{reverse('run-new', args=[run.project.slug])}?method={method.name}&again={run.pk}"


def started(form: RunForm, request: HttpRequest, project: Project) -> Run | None:
    """The run; or None, and the form says what the method refused."""
    assert isinstance(request.user, User)
    try:
        return starting.start(
            project=project,
            method=form.method.name,
            params=form.params(),
            user=request.user,
            queue=form.cleaned_data["run_queue"],
            seed=form.cleaned_data["run_seed"] or 0,
        )
    except DomainError as error:
        form.blame(error.field, error.detail)
        return None
