"""The review page: one answer at a time with what it is about, and a key for each thing that may become of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from curation import access
from curation.errors import DomainError, Invalid
from curation.models import Annotation, Project, Protocol, Review, TaskKind
from curation.protocols import Asked
from curation.rendering import Turn
from curation.services import browsing, grouping, reviews
from curation.services.annotating import Judgement
from curation.services.browsing import Whole
from curation.services.desk import asked, is_plain
from curation.services.evidence import document_text
from curation.views.items import Reader, pictures_in, shown, title_of
from curation.views.people import own

SHOWN = 50


@require_safe
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The next answer to review; `after` goes on behind one that is left to others, `id` names one."""
    project = access.project_for(request.user, slug, access.REVIEW)
    named, after = number(request, "id"), number(request, "after")
    found = reviews.find(project, named) if named else reviews.next_for(project, own(request), after)
    if found is None:
        can = access.capabilities(request.user, project)
        return render(request, "review/none.html", {"project": project, "can": can})
    return render(request, "review/page.html", context_of(request, project, found))


def number(request: HttpRequest, name: str) -> int:
    given = request.GET.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0


def context_of(request: HttpRequest, project: Project, review: Review) -> dict[str, Any]:
    """The answer with the texts that it speaks of, as on the page of an item."""
    related = ("annotator__user", "protocol", "task__pair__item", "task__response__item", "task__item", "task__pair")
    told = Annotation.objects.select_related(*related).prefetch_related(
        "preferences", "verdicts", "ranks", "critiques__derived_from__annotation__annotator"
    )
    answer = told.get(pk=review.annotation_id)
    task = answer.task
    item = task.item or (task.pair or task.response).item  # type: ignore[union-attr]
    responses = [one for one in item.responses.order_by("position") if concerns(task, one.pk) and not one.deleted_at]
    whole = Whole(item, responses, [answer], browsing.places_in([item.pk]))
    protocol = asked(project.protocol) if project.protocol else Asked()
    documents = item.context.get("documents") or []
    reader = Reader(protocol, whole, [document_text(document) for document in documents])
    people = [
        one for one in grouping.people(project) if one.pk != review.annotator_id and one.user_id != request.user.pk
    ]
    inline = project.protocol is not None and len(project.protocol.axes) == 1 and is_plain(project.kind, protocol)
    return {
        "project": project,
        "review": review,
        "answer": answer,
        "item": item,
        "prompt": [Turn(str(m.get("role", "")), shown(str(m.get("content", "")), False)) for m in item.prompt],
        "pictures": pictures_in(item.prompt),
        "documents": [
            (title_of(document, n), shown(text, False))
            for n, (document, text) in enumerate(zip(documents, reader.documents, strict=True))
        ],
        "cards": [reader.card(response, False) for response in responses],
        "rows": [reader.row(answer)] if reader.is_row(answer) else [],
        "types": "[]",
        "people": people[:SHOWN],
        "choices": fixes(project.protocol) if inline and project.protocol else [],
        "own": review.annotator.user_id == request.user.pk,
        "following": f"{reverse('review', args=[project.slug])}?{urlencode({'after': review.pk})}",
        "can": access.capabilities(request.user, project),
    }


def concerns(task: Any, response: int) -> bool:
    """Whether a task is about a response: of a ranking all of the item."""
    if task.kind == TaskKind.PREFERENCE:
        return response in (task.pair.first_id, task.pair.second_id)
    return task.kind == TaskKind.RANKING or response == task.response_id


def fixes(protocol: Protocol) -> list[tuple[str, str]]:
    """What may be said in place of an answer, from the first response much better to the second; value and words."""
    steps = {1: ["better"], 2: ["better", "much better"], 3: ["slightly better", "better", "much better"]}
    words = steps[protocol.strengths]
    first = [(str(-n), f"Response 1 {words[n - 1]}") for n in range(len(words), 0, -1)]
    second = [(str(n), f"Response 2 {words[n - 1]}") for n in range(1, len(words) + 1)]
    tie = [("0", "Tie")] if protocol.allow_tie else []
    bad = [("both_bad", "Both bad")] if protocol.allow_both_bad else []
    return [*first, *tie, *bad, *second]


@require_POST
def decide(request: HttpRequest, slug: str, review_id: int) -> HttpResponse:
    """What becomes of the answer; then the next one."""
    project = access.project_for(request.user, slug, access.REVIEW)
    review, by, reason = reviews.find(project, review_id), own(request), request.POST.get("reason", "")
    try:
        match request.POST.get("outcome", ""):
            case "accepted":
                reviews.accept(review, by, reason)
                messages.success(request, "Accepted.")
            case "returned":
                reviews.give_back(review, by, reason)
                messages.success(request, f"Returned to {reviews.name_of(review.annotator)}, with your reason.")
            case "reassigned":
                to = request.POST.get("to", "")
                reviews.reassign(review, by, reason, int(to) if to.isdigit() and len(to) < 19 else None)
                messages.success(request, "Taken back; somebody else answers it.")
            case "fixed":
                if value := request.POST.get("value", ""):
                    reviews.fix(review, by, [judgement(project, value)], rationale=reason)
                    messages.success(request, "Fixed: your answer stands in its place.")
                else:
                    task = reviews.open_fix(review, by)
                    return redirect(f"{reverse('annotate', args=[slug])}?task={task}")
            case _:
                raise Invalid("choose what becomes of it", field="outcome")
    except DomainError as error:
        messages.error(request, f"{error.detail[:1].upper()}{error.detail[1:]}.")
        return redirect(f"{reverse('review', args=[slug])}?id={review.pk}")
    return redirect("review", slug)


def judgement(project: Project, value: str) -> Judgement:
    axis = project.protocol.axis_names[0] if project.protocol else "overall"
    if value == "both_bad":
        return Judgement(axis, both_bad=True)
    if value not in {str(n) for n in range(-3, 4)}:
        raise Invalid("must be one of the choices", field="value")
    return Judgement(axis, int(value))


@require_safe
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """What was reviewed and what waits, the newest first."""
    project = access.project_for(request.user, slug, access.REVIEW)
    rows: QuerySet[Review] = Review.objects.filter(project=project).order_by("-pk")
    outcome = request.GET.get("outcome", "")
    if outcome in (*Review.Outcome.values, "waiting") and outcome:
        rows = rows.filter(outcome="" if outcome == "waiting" else outcome)
    if before := number(request, "before"):
        rows = rows.filter(pk__lt=before)
    found = list(rows.select_related("annotator__user", "reviewer", "annotation__task")[: SHOWN + 1])
    kept = {"outcome": outcome} if outcome else {}
    older = f"?{urlencode(kept | {'before': found[SHOWN - 1].pk})}" if len(found) > SHOWN else ""
    context = {
        "project": project,
        "rows": found[:SHOWN],
        "outcome": outcome,
        "outcomes": [("waiting", "Waiting"), *[choice for choice in Review.Outcome.choices if choice[0]]],
        "first": f"?{urlencode(kept)}" if before else "",
        "older": older,
    }
    return render(request, "review/index.html", context)
