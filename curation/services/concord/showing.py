"""Agreement in a project as page and API show it: what is asked for, checked, and the figures of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from django.db.models import QuerySet

from curation.errors import Invalid, NotFound
from curation.models import AgreementState, AgreementSum, Annotation, Annotator, Item, Preference, Project, Source
from curation.services.concord import keeping, matrix
from curation.services.concord.figuring import FEW_RESAMPLES, Choice, Label, Reader, Told
from curation.services.concord.figuring import labels_of as labels_of
from curation.services.concord.matrix import Asked, Matrix
from curation.services.concord.speaking import LONGEST_SLICE
from curation.services.concord.summing import ALL, PEOPLE

SAMPLE = 200
"""Items that are looked at, at either end, to find the keys of their metadata; and votes, to find how they stand."""
MOST_FIELDS = 50
MOST_SLICES_SHOWN = 200
MOST_WEEKS = 520
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for, as the query has it; empty means any."""

    label: str = ""
    who: str = "people"
    field: str = ""
    slice: str | None = None
    first: str = ""
    last: str = ""
    kind: str = ""
    name: str = ""
    most: int = matrix.USUAL

    @property
    def choice(self) -> Choice:
        return Choice(ALL if self.who == "all" else PEOPLE, self.slice, self.first, self.last)

    @property
    def asked(self) -> Asked:
        return Asked(self.kind, self.name, self.most)


def question(given: Mapping[str, str]) -> Question:
    """What a query asks for. Raises Invalid naming the parameter that is none of its values."""
    told = {name: given.get(name, "").replace("\0", "") for name in ("label", "who", "field", "kind", "name")}
    if told["who"] not in ("", "people", "all"):
        raise Invalid("must be people or all", field="who")
    if told["kind"] not in ("", *Annotator.Kind.values):
        raise Invalid(f"must be one of: {', '.join(Annotator.Kind.values)}", field="kind")
    weeks = {name: week(given.get(name, ""), name) for name in ("first", "last")}
    most = given.get("most", "") or str(matrix.USUAL)
    if not (most.isascii() and most.isdigit() and len(most) < 4 and 2 <= int(most) <= matrix.MOST):
        raise Invalid(f"must be a whole number from 2 to {matrix.MOST}", field="most")
    chosen = given.get("slice") if told["field"] else None
    return Question(
        label=told["label"][:80],
        who=told["who"] or "people",
        field=told["field"][:200],
        slice=None if chosen is None or chosen == "*" else chosen.replace("\0", "")[:LONGEST_SLICE],
        first=weeks["first"],
        last=weeks["last"],
        kind=told["kind"],
        name=told["name"][:100],
        most=int(most),
    )


def week(given: str, name: str) -> str:
    """The Monday of the week of a day."""
    if not given:
        return ""
    try:
        day = date.fromisoformat(given) if DAY.fullmatch(given) else None
    except ValueError:
        day = None
    if day is None:
        raise Invalid("must be a day, as 2026-01-31", field=name)
    return date.fromordinal(max(1, day.toordinal() - day.weekday())).isoformat()


@dataclass(frozen=True, slots=True)
class Shown:
    """Agreement in a project: `labels` with their figures in short, and the chosen one in full."""

    kept: keeping.Kept
    question: Question
    labels: list[tuple[Label, Told]]
    label: Label | None = None
    told: Told | None = None
    weeks: Mapping[str, Told] = field(default_factory=dict)
    slices: Mapping[str, Told] = field(default_factory=dict)
    matrix: Matrix | None = None


def shown(project: Project, asked: Question, seconds: float) -> Shown:
    """The figures, from sums that were brought further for about so long. Raises NotFound for a label nobody used."""
    kept = keeping.kept_up(project, asked.field, seconds)
    labels = labels_of(project, kept.state)
    if not kept.complete or not labels:
        return Shown(kept, asked, [])
    choice, label = asked.choice, chosen(labels, asked.label)
    briefly = [(each.label, each.all(FEW_RESAMPLES)) for each in Reader.of_each(kept.state, labels, choice)]
    reader = Reader.of(kept.state, label, choice)
    by_slice = (
        reader if asked.slice is None else Reader.of(kept.state, label, Choice(choice.part, None, *weeks(choice)))
    )
    return Shown(
        kept,
        asked,
        briefly,
        label,
        reader.all(),
        reader.by_week(),
        by_slice.by_slice() if asked.field else {},
        matrix.matrix(kept.state, label, choice, asked.asked),
    )


def chosen_first(project: Project, label: Label) -> bool:
    """Whether votes that came as chosen and rejected are all for the first response, as far as the latest tell.

    Then which response stands first tells the label: an answer that is always the same has a kappa of 0 with anybody.
    """
    if label.family != "axis":
        return False
    votes = Preference.objects.filter(annotation__task__project=project, axis=label.key.partition("|")[2])
    latest = votes.filter(annotation__source=Annotation.Source.IMPORT, annotation__annotator__name="imported")
    values = latest.order_by("-pk").values_list("value", flat=True)[:SAMPLE]
    return len(values) > 1 and all(value is not None and value < 0 for value in values)


def weeks(choice: Choice) -> tuple[str, str]:
    return choice.first, choice.last


def chosen(labels: list[Label], key: str) -> Label:
    if not key:
        return labels[0]
    found = next((one for one in labels if one.key == key), None)
    if found is None:
        raise NotFound("nobody answered to this label")
    return found


def fields_of(project: Project) -> list[str]:
    """What items can be told apart by: their source, and the keys of the metadata of some at either end."""
    items = Item.objects.filter(project=project)
    some = [*metadata_of(items.order_by("pk")), *metadata_of(items.order_by("-pk"))]
    keys = sorted({key for one in some if isinstance(one, dict) for key in one})
    named = ["source"] if Source.objects.filter(project=project).exists() else []
    return named + [f"metadata.{key}" for key in keys if key and len(key) <= 190][:MOST_FIELDS]


def metadata_of(items: QuerySet[Item]) -> list[object]:
    return list(items.values_list("metadata", flat=True)[:SAMPLE])


def slices_of(state: AgreementState) -> list[str]:
    rows = AgreementSum.objects.filter(state=state, part=ALL).order_by("slice")
    return list(rows.values_list("slice", flat=True).distinct()[:MOST_SLICES_SHOWN])
