"""Pages of datasets: the list of versions, the form that makes one, a version with its files."""

from __future__ import annotations

from itertools import islice
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from curation import access
from curation.downloads import download
from curation.errors import DomainError, NotFound
from curation.models import Dataset, DatasetVersion, Project, TaskKind
from curation.rendering import markdown
from curation.services import card_people, cards, exporting, freezing
from curation.services.bias import telling as reports
from curation.services.freezing import changed, curated, pushing
from curation.views.version_form import EXAMPLE, VersionForm
from workers.tables import shards
from workers.writers import targets

SHOWN = 50
CHANGES = 20
"""Changes that the page of a version shows, the latest."""
COUNTED = 20_000
"""Above so many tasks the form does not count the rows beforehand."""
THING: dict[str, str] = {TaskKind.PREFERENCE: "pair", TaskKind.RESPONSE: "response", TaskKind.RANKING: "item"}


@require_GET
def index(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request.user, slug, access.READ)
    rows = DatasetVersion.objects.filter(dataset__project=project).select_related("dataset", "run").order_by("-pk")
    context = {"project": project, "versions": rows[:SHOWN], "can_make": may_make(request, project)}
    return render(request, "datasets/index.html", context)


@require_http_methods(["GET", "POST"])
def make(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request.user, slug, access.FREEZE)
    form = form_for(request, project)
    if form is None:
        return HttpResponse(status=204)
    if request.method == "POST" and form.is_valid():
        try:
            version = freezing.request_version(
                project=project,
                dataset_name=form.cleaned_data["name"],
                target=form.cleaned_data["target"],
                filters=form.filters(),
                splits=form.splits(),
                split_by=form.cleaned_data["split_by"] or "prompt",
                seed=form.cleaned_data["seed"],
                user=request.user if request.user.is_authenticated else None,
            )
        except DomainError as error:
            form.refuse(error)
        else:
            return HttpResponseRedirect(address(project, version))
    status = 422 if form.errors else 200
    names = Dataset.objects.filter(project=project).order_by("-pk").values_list("name", flat=True)[:SHOWN]
    context = {"project": project, "form": form, "example": EXAMPLE, "names": names}
    return render(request, "datasets/new.html", context, status=status)


def form_for(request: HttpRequest, project: Project) -> VersionForm | None:
    """The form with the choices of the last version of its dataset, unless others are asked for; None when a name was
    typed that is new, so that what stands in the form stays."""
    asked = request.GET
    if request.POST:
        return VersionForm(request.POST, project=project, before=latest(project, request.POST.get("name", "")))
    name = asked.get("name", "")
    before = None if "fresh" in asked else freezing.last(project, name, "" if name else asked.get("target", ""))
    if before is None and "named" in asked:
        return None
    first = {**curated.read_by(project, asked.getlist("curated")), **asked.dict()}
    if "test_share" in asked:
        first["shares"] = ""
    if "curated" in asked or "seed" in asked:
        first["curated"] = asked.getlist("curated")
    return VersionForm(project=project, before=before, initial=first)


def latest(project: Project, name: str) -> DatasetVersion | None:
    """The version whose choices a filled form began with."""
    return freezing.last(project, name) or freezing.last(project)


@require_GET
def count(request: HttpRequest, slug: str) -> HttpResponse:
    """How many rows the form as it stands would give; for projects of a size that allows counting."""
    project = access.project_for(request.user, slug, access.FREEZE)
    form = VersionForm(request.GET, project=project, before=latest(project, request.GET.get("name", "")))
    context: dict[str, Any] = {"project": project, "too_many": project.task_count > COUNTED}
    if form.is_valid() and form.chosen and not context["too_many"]:
        try:
            filters = freezing.checked_filters(project, form.chosen, form.filters())
        except DomainError as error:
            context["trouble"] = error
        else:
            asked = form.cleaned_data
            selection = freezing.now(project, form.chosen, filters, asked["split_by"] or "prompt", asked["seed"])
            rows, answered = freezing.count(selection, form.splits(), most=COUNTED)
            total = sum(rows.values())
            context |= {"rows": total, "answered": answered, "what": form.chosen.what, "splits": rows}
            context["empty"] = [name for name, number in rows.items() if total and not number]
            context["too_few"] = total < freezing.FEW
            context["keeps_out"] = filters.decontaminate is not None
            if filters.annotators == "signed-in" and filters.decided_by == "majority":
                context |= {"imported": freezing.only_imported(project), "thing": THING[project.kind]}
    return render(request, "datasets/_count.html", context)


@require_GET
def page(request: HttpRequest, slug: str, name: str, number: int) -> HttpResponse:
    """A version. While it is made, htmx asks for the fragment again every second."""
    project = access.project_for(request.user, slug, access.READ)
    version = version_of(project, name, number)
    order = list(version.splits)
    wholes = exporting.wholes_of(version)
    cut = {file.split for file in wholes}
    files = sorted(
        [*wholes, *version.files.all()],
        key=lambda file: (order.index(file.split) if file.split in order else 99, file.name),
    )
    context = {
        "project": project,
        "version": version,
        "step": freezing.step(version.run) if version.state == DatasetVersion.State.MAKING and version.run else "",
        "files": [file for file in files if file.split not in cut or file.name in version.wholes],
        "shards": [file for file in files if file.split in cut and file.name not in version.wholes],
        "rows": first_rows(version),
        "followed": changed.followed(version) is not None,
        "changes": changed.latest(version, CHANGES),
        "what": targets.get(version.target).what,
        "agreement": dict(zip(("titles", "rows"), card_people.agreed(version.facts.get("agreement", {})), strict=True)),
        "beside": card_people.beside(version.facts.get("agreement_beside", [])),
        "known": [
            words
            for words in (card_people.known_answers(version.facts), card_people.reliability(version.facts))
            if words
        ],
        "card": markdown(f"{version.card.split('---', 2)[-1]}\n\n{cards.bias(version)}"),
        "compares": targets.get(version.target).source == "decided",
        "bias": reports.latest(project, version),
        "can_make": may_make(request, project),
        "hubs": pushing.endpoints() if settings.HUB_TOKEN else [],
        "names_stand_in_rows": targets.get(version.target).named,
        "others": others_like(version),
        "host": f"{request.scheme}://{request.get_host()}",
    }
    fragment = request.headers.get("HX-Request") and request.headers.get("HX-Target") == "version"
    return render(request, "datasets/_version.html" if fragment else "datasets/version.html", context)


@require_http_methods(["GET", "HEAD"])
def file(request: HttpRequest, slug: str, name: str, number: int, filename: str) -> HttpResponseBase:
    project = access.project_for(request.user, slug, access.READ)
    return download(request, version_of(project, name, number), filename)


def others_like(version: DatasetVersion) -> list[DatasetVersion]:
    """The newest versions that it can be compared with."""
    rows = DatasetVersion.objects.filter(dataset__project=version.dataset.project, state=DatasetVersion.State.READY)
    return list(rows.exclude(pk=version.pk).select_related("dataset").order_by("-pk")[:20])


def version_of(project: Project, name: str, number: int) -> DatasetVersion:
    found = exporting.find_version(project, name, number)
    if found is None:
        raise NotFound("no such version")
    return found


def first_rows(version: DatasetVersion) -> list[dict[str, Any]]:
    """The first rows of the first split, as the page shows them."""
    paths = shards(version.folder, next(iter(version.splits), ""), "jsonl")
    if version.state != DatasetVersion.State.READY or not paths:
        return []
    with paths[0].open("rb") as lines:
        return [shown_row(orjson.loads(line)) for line in islice(lines, 5)]


def shown_row(row: dict[str, Any]) -> dict[str, Any]:
    return {column: last_words(value) for column, value in row.items()}


def last_words(value: Any) -> str:
    """A message list by its last message, other values as JSON, cut to what a table cell holds."""
    said = value[-1] if isinstance(value, list) and value else value
    if isinstance(said, dict) and isinstance(said.get("content"), str):
        text = said["content"]
    else:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= 240 else f"{text[:240]}…"


def may_make(request: HttpRequest, project: Project) -> bool:
    return access.FREEZE in access.capabilities(request.user, project)


def address(project: Project, version: DatasetVersion) -> str:
    return reverse("version", args=[project.slug, version.dataset.name, version.number])
