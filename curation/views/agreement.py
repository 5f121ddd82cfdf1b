"""How far annotators agree: the page with its figures, and the items behind each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRefresh

from curation import access
from curation.agreement_plot import floor_of, in_words, note, over_weeks, range_bar, said
from curation.errors import Invalid, NotFound
from curation.models import Annotator, Project
from curation.services.concord import disputes, gammas, keeping, matrix, showing
from curation.services.concord.figuring import MANY_RESAMPLES, SIDES, Label, Measure, Told, as_number, labels_of
from curation.services.concord.showing import Question, Shown
from curation.views.items import first_words
from workers.agreeing.figures import Figure

PATIENCE = 1.0
"""Seconds for which a call brings the sums further before it shows how far they are."""
MOST_WEEKS = 60
MOST_SLICES = 50
SIZES = (12, 24, matrix.MOST)


@require_safe
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The page. While the sums are being made it shows how far they are, and asks again by itself."""
    project = access.project_for(request.user, slug, access.READ)
    asked, problem = question_in(request)
    try:
        found = showing.shown(project, asked, PATIENCE)
    except (Invalid, NotFound) as error:
        asked, problem = Question(), problem or error.detail
        found = showing.shown(project, asked, PATIENCE)
    context: dict[str, Any] = {"project": project, "asked": asked, "problem": problem, "found": found}
    context["can"] = access.capabilities(request.user, project)
    if not found.kept.complete:
        context |= {"percent": round(100 * found.kept.done), "again": request.get_full_path()}
        return render(request, "agreement/_counting.html" if is_fragment(request) else "agreement/page.html", context)
    if is_fragment(request):
        return HttpResponseClientRefresh()
    context |= {
        "fields": [(name, name.partition(".")[2] or "source") for name in showing.fields_of(project)],
        "slices": showing.slices_of(found.kept.state) if asked.field else [],
        "sizes": SIZES,
        "kinds": Annotator.Kind.choices,
    }
    context |= figures(project, found) if found.label and found.told else {}
    return render(request, "agreement/page.html", context)


def is_fragment(request: HttpRequest) -> bool:
    """Whether the page asks how far it is."""
    return request.headers.get("HX-Request") == "true"


def question_in(request: HttpRequest) -> tuple[Question, str]:
    """What the query asks for; what it cannot ask for is told, and nothing is asked."""
    try:
        return showing.question(request.GET.dict()), ""
    except Invalid as error:
        return Question(), f"{error.field} {error.detail}".strip()


def figures(project: Project, found: Shown) -> dict[str, Any]:
    asked, label, told = found.question, found.label, found.told
    assert label is not None and told is not None
    link = Links(project, asked)
    weeks = list(found.weeks.items())[-MOST_WEEKS:]
    plotted = [(week, one.main.figure, link.items(label, first=week, last=week)) for week, one in weeks]
    low = floor_of([one.main.figure for one in found.slices.values()])
    return {
        "label": label,
        "rows": [
            (one, brief(told if one.key == label.key else each), link.page(label=one.key), link.items(one))
            for one, each in found.labels
        ],
        "measures": [
            (measure.title, said_of(measure.figure), note(measure.figure)) for measure in shown_measures(told)
        ],
        "told": told,
        "dominant": dominant_words(told),
        "chosen_first": showing.chosen_first(project, label),
        "disputed": link.items(label),
        "plot": over_weeks(f"{told.main.title} of {label.title} by week", plotted) if plotted else "",
        "plot_low": said(floor_of([figure for _, figure, _ in plotted])),
        "plot_middle": said((1 + floor_of([figure for _, figure, _ in plotted])) / 2),
        "first_week": plotted[0][0] if plotted else "",
        "last_week": plotted[-1][0] if plotted else "",
        "weeks": [(week, in_words(figure), href) for week, figure, href in reversed(plotted)],
        "by_slice": [
            (
                value or "not given",
                in_words(one.main.figure),
                range_bar(one.main.figure, low),
                link.items(label, slice=value),
            )
            for value, one in sorted(found.slices.items(), key=lambda each: -each[1].units)[:MOST_SLICES]
        ],
        "slices_low": said(low),
        "more_slices": max(0, len(found.slices) - MOST_SLICES),
        "table": table(found, link) if found.matrix else None,
        "beyond": {"ranking": "tau-b", "spans": "soft F1 with types"}.get(label.family, "Cohen’s kappa"),
        "same": {"spans": "soft F1 by place", "ranking": "the same order"}.get(label.family, "equal answers"),
        "gamma": gamma_of(project) if label.family == "spans" else None,
    }


def shown_measures(told: Told) -> list[Measure]:
    """Gwet's coefficients only where one value dominates: beside what falls because of it."""
    return [one for one in told.measures if told.dominant or not one.gwet]


def brief(told: Told) -> dict[str, Any]:
    named = {measure.name: measure for measure in told.measures}
    percent = named.get("percent")
    return {
        "units": told.units,
        "main": told.main,
        "value": said_of(told.main.figure),
        "words": in_words(told.main.figure),
        "percent": f"{100 * percent.figure.value:.0f} %" if percent and percent.figure.value is not None else "–",
        "gwet": said_of(named["ac1"].figure) if told.dominant and "ac1" in named else "",
    }


def said_of(figure: Figure) -> str:
    return "undefined" if figure.value is None else said(figure.value)


def dominant_words(told: Told) -> str:
    if not told.dominant:
        return ""
    value, share = told.dominant
    return (
        f"{100 * share:.0f} % of the answers are “{value.replace('_', ' ')}”. Where one value dominates, agreement by "
        "chance is high, and alpha and kappa are low even if people nearly always agree. AC1 and AC2 do not fall so."
    )


class Links:
    """Addresses that keep what is asked for."""

    def __init__(self, project: Project, asked: Question) -> None:
        self.slug = project.slug
        kept = {"who": asked.who, "field": asked.field, "first": asked.first, "last": asked.last}
        if asked.slice is not None:
            kept["slice"] = asked.slice
        self.kept = {name: value for name, value in kept.items() if value or name == "slice"}

    def page(self, **more: str) -> str:
        return f"{reverse('agreement', args=[self.slug])}?{urlencode(self.kept | more)}"

    def items(self, label: Label, **more: str | int) -> str:
        given = self.kept | {"label": label.key} | more
        return f"{reverse('agreement-items', args=[self.slug])}?{urlencode(given)}"


def table(found: Shown, link: Links) -> dict[str, Any]:
    """The matrix as rows of cells, everybody by number."""
    assert found.matrix is not None and found.label is not None
    people = found.matrix.annotators
    rows = []
    for number, one in enumerate(people, 1):
        cells = []
        for other in people:
            cell = found.matrix.cells.get((one.pk, other.pk))
            href = link.items(found.label, a=one.pk, b=other.pk) if cell else ""
            cells.append({"self": one.pk == other.pk, "href": href, "other": other, **cell_of(cell)})
        rows.append((number, one, found.matrix.totals.get(one.pk, 0), cells))
    return {"rows": rows, "people": people, "more": found.matrix.more}


def cell_of(cell: matrix.Cell | None) -> dict[str, Any]:
    if cell is None:
        return {"there": False}
    agreed = "–" if cell.agreed.value is None else f"{100 * cell.agreed.value:.0f} %"
    beyond = cell.beyond.value
    return {
        "there": True,
        "value": "–" if beyond is None else said(beyond),
        "why": cell.beyond.why,
        "agreed": agreed,
        "n": cell.n,
        "few": cell.few,
        "level": "none" if beyond is None else str(max(0, min(5, int(beyond * 5 + 1e-9) + (beyond > 0)))),
    }


COINCIDENCES = (
    ("u_alpha", "uα by coincidences, place and type"),
    ("u_alpha_marked", "|uα by coincidences, marked or not"),
)


def gamma_of(project: Project) -> dict[str, Any]:
    run = gammas.latest(project)
    told: dict[str, Any] = {"run": run, "missing": missing()}
    result = run.result if run and run.state == "succeeded" else None
    if result:
        types = sorted(result["alpha_u_types"].items())
        told |= {
            "value": from_dict(result["gamma"]),
            "alpha_u": from_dict(result["alpha_u"]),
            "types": [(name, from_dict(one)) for name, one in types],
            # a run from before these were measured lacks them
            "coincidences": [(title, from_dict(result[name])) for name, title in COINCIDENCES if name in result],
            "result": result,
            "precision": f"{100 * result['precision']:.1f}",
        }
    return told


def missing() -> bool:
    from importlib.util import find_spec

    return find_spec("scipy") is None


def from_dict(told: Mapping[str, Any]) -> tuple[str, str]:
    figure = Figure(told["value"], told["n"], told["low"], told["high"], told["why"])
    return said_of(figure), note(figure, "text")


# --- The items behind a figure ------------------------------------------------------------------------


@require_safe
def items(request: HttpRequest, slug: str) -> HttpResponse:
    """The items on which annotators differ: of a label, of units, of two annotators, who said just this."""
    project = access.project_for(request.user, slug, access.READ)
    asked = showing.question(request.GET.dict())
    label = label_of(project, asked)
    one, other = (annotator_in(project, request.GET.get(name, "")) for name in ("a", "b"))
    words = tuple(request.GET.get(name, "").replace("\0", "") for name in ("said", "and"))
    wanted = disputes.Wanted(
        label,
        asked.choice,
        asked.field,
        one.pk if one else 0,
        other.pk if other and one else 0,
        (words[0], words[1]) if all(words) and one and other else None,
    )
    before = request.GET.get("before", "")
    found = disputes.page(
        project, wanted, int(before) if before.isdigit() and before.isascii() and len(before) < 19 else 0
    )
    link = Links(project, asked)
    mine: dict[str, str | int] = {name: one_.pk for name, one_ in (("a", one), ("b", other)) if one_}
    kept = mine | ({"said": words[0], "and": words[1]} if wanted.said else {})
    context = {
        "project": project,
        "label": label,
        "asked": asked,
        "one": one,
        "other": other,
        "said": wanted.said,
        "found": found,
        "rows": [(each, first_words(each.item.prompt)) for each in found.disputes],
        "back": link.page(label=label.key),
        "first": link.items(label, **kept) if before else "",
        "following": link.items(label, **kept, before=found.next) if found.next else "",
        "all_of_them": link.items(label, **mine) if wanted.said else "",
        "two": two_of(project, asked, label, one, other, link) if one and other else None,
        "can": access.capabilities(request.user, project),
    }
    return render(request, "agreement/items.html", context)


def label_of(project: Project, asked: Question) -> Label:
    kept = keeping.kept_up(project, asked.field, PATIENCE)
    labels = labels_of(project, kept.state)
    if not labels:
        raise NotFound("nobody has answered yet")
    return showing.chosen(labels, asked.label)


def annotator_in(project: Project, given: str) -> Annotator | None:
    if not given:
        return None
    known = Annotator.objects.filter(project=project).select_related("user")
    found = known.filter(pk=int(given)).first() if given.isascii() and given.isdigit() and len(given) < 19 else None
    if found is None:
        raise NotFound("no such annotator")
    return found


def two_of(
    project: Project, asked: Question, label: Label, one: Annotator, other: Annotator, link: Links
) -> dict[str, Any]:
    """Two annotators: their figures, and what either said when the other said what."""
    kept = keeping.kept_up(project, asked.field, 0)
    sums = matrix.between(kept.state, label, asked.choice, one.pk, other.pk)
    found: dict[str, Any] = {
        "figures": [(t, said_of(f), note(f)) for t, f in matrix.details(label, sums, MANY_RESAMPLES)] if sums else []
    }
    if label.family in ("axis", "question", "type") and sums:
        counts = matrix.sides(label, sums)
        values = sorted({value for both in counts for value in both}, key=place)
        found["values"] = values
        found["rows"] = [
            (
                a,
                [
                    (b, counts.get((a, b), 0), a == b, link.items(label, a=one.pk, b=other.pk, said=a, **{"and": b}))
                    for b in values
                ],
            )
            for a in values
        ]
    return found


def place(value: str) -> tuple[int, int, str]:
    """Sides in their order, numbers by size, words by letter."""
    number = as_number(value)
    return (SIDES.index(value) if value in SIDES else len(SIDES), number or 0, value)
