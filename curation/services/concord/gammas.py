"""Gamma and alpha for unitizing of a project's spans: a run, since each text takes dozens of optimisations.

The latest texts that two annotators read and somebody marked are taken, at most so many; annotators beyond six of one
text are left out, in the order of their answers. The pure part is `workers/agreeing/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from curation.errors import Invalid
from curation.models import Annotation, Project, Run
from curation.services.concord.figuring import as_dict
from curation.services.concord.speaking import Book, Said, spoken
from curation.services.deciding import last_annotation
from curation.services.method import Method, Params
from curation.services.running import Report
from workers.agreeing import gamma
from workers.agreeing.coincidences import Coincidences
from workers.agreeing.figures import RESAMPLES, Figure, Floats
from workers.agreeing.groups import resampled
from workers.agreeing.overlaps import Span
from workers.agreeing.unitizing import Unitizing, alpha_u

NAME = "gamma"
TOGETHER = 6
LOOKED_AT = 1_000
MOST_LOOKED_AT = 50_000


class GammaParams(Params):
    texts: int = Field(default=100, ge=2, le=1_000, title="Texts", description="so many at most, the latest")
    annotators: Literal["people", "all"] = Field(
        default="people", title="Whose spans", description="of people, or of people and models"
    )
    precision: float = Field(
        default=0.02,
        ge=0.005,
        le=0.2,
        title="Precision",
        description="shuffled texts are drawn until what is expected by chance is known to this share of itself",
    )


@dataclass(frozen=True, slots=True)
class Text:
    """One message of a response: its length, and what each annotator marked."""

    key: str
    length: int
    marked: list[list[Span]]


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Gamma; alpha_U over all types and of each; uα and |uα; texts with too many spans are left out and counted."""
    try:
        import scipy.optimize  # noqa: F401
    except ImportError:
        raise Invalid("gamma needs scipy, which comes with requirements-models.txt; this worker lacks it") from None
    params = GammaParams(**run.params)
    observed: list[float] = []
    by_chance: list[gamma.Expected] = []
    unitizings: dict[str, Unitizing] = {}
    coincidences = Coincidences()
    left_out, texts = 0, list(texts_of(run.home, params))
    kinds = sorted({span.type for text in texts for mine in text.marked for span in mine})
    for n, text in enumerate(texts):
        for kind in kinds:
            places = [[(span.start, span.end) for span in mine if span.type == kind] for mine in text.marked]
            unitizings.setdefault(kind, Unitizing()).add(places, text.length)
        coincidences.add(text.marked, text.length)
        continuum = [[gamma.Unit(span.start, span.end, span.type) for span in mine] for mine in text.marked]
        try:
            found = gamma.disorder(continuum)
            by_chance.append(gamma.expected(continuum, text.length, f"gamma:{text.key}", params.precision))
            observed.append(found)
        except gamma.TooMany:
            left_out += 1
        report.checkpoint(done=n + 1, total=len(texts))
    return {
        "gamma": as_dict(with_interval(observed, [one.value for one in by_chance])),
        "texts": len(texts),
        "left_out": left_out,
        "samples": sum(one.samples for one in by_chance),
        "precision": max((one.precision for one in by_chance), default=0.0),
        "alpha_u": as_dict(alpha_u(unitizings)),
        "alpha_u_types": {kind or "untyped": as_dict(alpha_u({kind: each})) for kind, each in unitizings.items()},
        "u_alpha": as_dict(coincidences.alpha()),
        "u_alpha_marked": as_dict(coincidences.alpha(marked_alone=True)),
        "annotators": params.annotators,
    }


def with_interval(observed: list[float], by_chance: list[float]) -> Figure:
    """Gamma over all texts, its interval bootstrapped over texts."""
    found = gamma.gamma(observed, by_chance)
    if found.value is None or len(observed) < 2:
        return found
    drawn = resampled(len(observed), RESAMPLES)
    with np.errstate(invalid="ignore", divide="ignore"):
        values: Floats = 1 - (drawn @ np.array(observed)) / (drawn @ np.array(by_chance))
    return found.between(values)


def texts_of(project: Project, params: GammaParams) -> Iterator[Text]:
    """The latest texts that several read and somebody marked."""
    book, upto, found, seen = Book.of(project), last_annotation(project), 0, set[int]()
    before, looked = upto + 1, 0
    while found < params.texts and looked < MOST_LOOKED_AT:
        rows = list(
            Annotation.objects.filter(project=project, pk__lt=before)
            .order_by("-pk")
            .values_list("pk", "task_id")[:LOOKED_AT]
        )
        if not rows:
            return
        before, looked = rows[-1][0], looked + len(rows)
        fresh = {task for _, task in rows} - seen
        seen |= fresh
        for task in sorted(spoken(book, fresh, upto), key=lambda one: -one.task):
            some = [one for one in task.said if one.marks and (params.annotators == "all" or not one.machine)]
            for response, sizes in task.responses:
                for text in texts_in(response, sizes, some[:TOGETHER]):
                    yield text
                    found += 1
                    if found == params.texts:
                        return


def texts_in(response: int, sizes: tuple[int, ...], some: list[Said]) -> Iterator[Text]:
    for message, size in enumerate(sizes):
        marked = [one.spans.get((response, message), []) for one in some]
        if len(some) > 1 and any(marked) and size:
            yield Text(f"{response}:{message}", size, marked)


METHOD = Method(
    name=NAME,
    title="Gamma of spans",
    about="How far annotators agree on spans, by place and label at once: Mathet’s gamma and Krippendorff’s alpha for "
    "unitizing, over the latest texts that several read.",
    params=GammaParams,
    unit="texts",
    execute=execute,
)


def latest(project: Project) -> Run | None:
    """The last run that measured it, done or under way."""
    return Run.objects.filter(project=project, method=NAME).order_by("-created_at").first()
