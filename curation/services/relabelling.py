"""Labels that were renamed, merged or split: what that does to earlier answers, and how these are read from then on.

No row is ever changed. A version of the protocol says in `relabelled` as which of its own labels it reads those of
the version before:

    {"types": {"old": "new"}, "severities": {}, "axes": {}, "questions": {}, "options": {"question": {"old": "new"}}}

Two old names with one new name are a merge. Null is a split: the old label may be any of several new ones, so it is
read as none until somebody looks again. A label that is not named keeps its name. `options` stand under the name
that their question has in the version before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, QuerySet

from curation.errors import Invalid
from curation.models import Annotation, Critique, Preference, Project, Protocol, TaskKind, Verdict
from curation.services.label_names import CurrentNames, Reading, Relabelled, labels, labels_of
from curation.services.label_names import current_names as current_names  # one of this module's verbs

PLAIN = ("types", "severities", "axes", "questions")
FAMILIES = (*PLAIN, "options")
ROWS: dict[str, tuple[Any, str, str]] = {
    "types": (Critique, "type", "critique"),
    "severities": (Critique, "severity", "critique"),
    "axes": (Preference, "axis", "preference"),
    "questions": (Verdict, "question", "verdict"),
}
"""Where the labels of a family are written: the table, its column, and what one row is called."""
SINGULAR = {"types": "type", "severities": "severity", "axes": "axis", "questions": "question", "options": "option"}
MOST_COUNTED = 100_000
MOST_LISTED = 50


# --- Decisions ----------------------------------------------------------------------------------------


def readable(project: Project) -> dict[str, set[str]]:
    """Every label that an answer of any version may carry, as the current version reads it."""
    known: dict[str, set[str]] = defaultdict(set)
    if project.protocol is None:
        return known
    names = current_names(project.protocol)
    for protocol in Protocol.objects.filter(project=project).only("version", "critiques", "axes", "questions"):
        reading = names.since(protocol.version)
        for family, found in labels_of(protocol).items():
            kind, _, question = family.partition("|")
            now = reading.question(question) if question else None
            for name in found:
                read = reading.option(question, name) if question else reading.label(kind, name)
                if read and (now or not question):
                    known[f"options|{now}" if question else kind].add(read)
    return known


def checked(project: Project, values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The decisions that say something. Raises Invalid naming the label that is not there."""
    if not isinstance(given, Mapping):
        raise Invalid(f"an object with {', '.join(FAMILIES)}", field="relabelled")
    if unknown := sorted(set(given) - set(FAMILIES)):
        raise Invalid(f"an object with {', '.join(FAMILIES)}", field=f"relabelled.{unknown[0]}")
    if not given:
        return {}
    known, new = readable(project), labels(values)
    kept: dict[str, Any] = {}
    for family in PLAIN:
        if said := decided(given.get(family, {}), f"relabelled.{family}", known.get(family, set()), new[family]):
            kept[family] = said
    options = given.get("options", {})
    if not isinstance(options, Mapping):
        raise Invalid("an object of old and new names, by question", field="relabelled.options")
    for question, mapping in options.items():
        now = kept.get("questions", {}).get(question, question)
        family, later = f"options|{question}", new.get(f"options|{now}", [])
        if said := decided(mapping, f"relabelled.options.{question}", known.get(family, set()), later):
            kept.setdefault("options", {})[question] = said
    return kept


def decided(given: Any, at: str, known: set[str], new: list[str]) -> dict[str, str | None]:
    """The mapping of one family, without names that stay as they are."""
    if not isinstance(given, Mapping):
        raise Invalid("an object of old and new names", field=at)
    for old, name in given.items():
        if old not in known:
            raise Invalid("no earlier answer can carry this label", field=f"{at}.{old}")
        if name is not None and name not in new:
            raise Invalid(f"the new version has no “{name}”; null where it was split", field=f"{at}.{old}")
    return {old: name for old, name in given.items() if old != name}


# --- What a change would do ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Effect:
    """A label that goes although standing answers carry it, and what may become of it."""

    family: str
    name: str
    count: int
    versions: tuple[int, ...]
    targets: tuple[tuple[str, bool], ...]
    """Labels that it can be read as, each with whether it was there before (a merge) or is new (a rename)."""
    question: str = ""
    suggested: str | None = None
    at_least: bool = False

    @property
    def key(self) -> str:
        return "|".join(filter(None, (self.family, self.question, self.name)))

    @property
    def row(self) -> str:
        return ROWS["questions" if self.family == "options" else self.family][2]

    @property
    def singular(self) -> str:
        return SINGULAR[self.family]

    @property
    def others(self) -> list[str]:
        return [name for name, there in self.targets if there]

    @property
    def came(self) -> list[str]:
        return [name for name, there in self.targets if not there]


def preview(project: Project, new: Mapping[str, Any], renamed: Relabelled | None = None) -> list[Effect]:
    """What saving `new` would do: each label that goes and that standing answers carry, with how many.

    `renamed` says which labels were given another name in place, where the editor knows it.
    """
    current = project.protocol
    if current is None:
        return []
    before, after, renamed = labels_of(current), labels(new), renamed or {}
    gone: dict[str, tuple[list[str], list[str]]] = {}
    for family, names in before.items():
        kind, _, question = family.partition("|")
        if kind == "axes" and project.kind != TaskKind.PREFERENCE:
            continue
        later = family
        if question:
            now = renamed.get("questions", {}).get(question, question)
            if now not in after["questions"]:
                continue
            later = f"options|{now}"
        if lost := [name for name in names if name not in after.get(later, [])]:
            gone[family] = (lost, after.get(later, []))
    counted = counts(project, current, {family: lost for family, (lost, _) in gone.items()})
    found = []
    for family, (lost, targets) in gone.items():
        kind, _, question = family.partition("|")
        told = renamed.get("options", {}).get(question, {}) if question else renamed.get(kind, {})
        there = [(name, name in before[family]) for name in targets]
        for name in lost:
            if count := counted.get((family, name)):
                suggested = told.get(name) or only_one(lost, [name for name, was in there if not was])
                found.append(
                    Effect(
                        kind,
                        name,
                        sum(count.versions.values()),
                        tuple(sorted(count.versions)),
                        tuple(there),
                        question,
                        suggested,
                        count.at_least,
                    )  # fmt: skip
                )
    return found


def only_one(lost: list[str], came: list[str]) -> str | None:
    """One label went and one came: most likely the same under another name."""
    return came[0] if len(lost) == len(came) == 1 else None


@dataclass(slots=True)
class Counted:
    versions: dict[int, int] = field(default_factory=dict)
    at_least: bool = False


def counts(project: Project, current: Protocol, lost: Mapping[str, list[str]]) -> dict[tuple[str, str], Counted]:
    """How many rows of standing answers carry each label, by family and label as the current version reads it."""
    found: dict[tuple[str, str], Counted] = {}
    if not lost:
        return found
    names = current_names(current)
    for family, gone in lost.items():
        kind, _, question = family.partition("|")
        raw = carriers(project, names, kind, question, gone)
        if not raw:
            continue
        groups, at_least = grouped(project, kind, raw)
        for protocol_id, written, n in groups:
            for name in read_as(names.of(protocol_id), kind, question, written):
                if name in gone:
                    counted = found.setdefault((family, name), Counted())
                    version = names.versions[protocol_id]
                    counted.versions[version] = counted.versions.get(version, 0) + n
                    counted.at_least |= at_least
    return found


def carriers(project: Project, names: CurrentNames, kind: str, question: str, gone: list[str]) -> set[str]:
    """The names under which rows of any version carry these labels; of options, those of their question."""
    found = set()
    for protocol in Protocol.objects.filter(project=project, version__lte=names.version):
        reading = names.since(protocol.version)
        for family, written in labels_of(protocol).items():
            each, _, asked = family.partition("|")
            if each == kind == "options" and reading.question(asked) == question:
                found.add(asked)
            elif each == kind != "options":
                found |= {name for name in written if reading.label(kind, name) in gone}
    return found


def read_as(reading: Reading, kind: str, question: str, written: Any) -> list[str]:
    """The labels that a row carries, as they are read."""
    if kind != "options":
        name = reading.label(kind, written)
        return [name] if name else []
    asked, answer = written
    if reading.question(asked) != question:
        return []
    read = reading.answer(asked, answer)
    return [each for each in (read if isinstance(read, list) else [read]) if isinstance(each, str)]


def rows_with(project: Project, kind: str, names: Iterable[str]) -> QuerySet[Any]:
    """Rows of standing answers that carry one of these names, as they were written."""
    model, column, _ = ROWS["questions" if kind == "options" else kind]
    rows = model.objects.filter(
        annotation__project=project,
        annotation__event=Annotation.Event.ANSWER,
        annotation__counted=True,
        annotation__superseded_by__isnull=True,
        **{f"{column}__in": names},
    )
    return rows.exclude(review=Critique.Review.REJECTED) if model is Critique else rows


def grouped(project: Project, kind: str, names: set[str]) -> tuple[list[tuple[int, Any, int]], bool]:
    """Rows by protocol and what is written, with their number; and whether there are more than were counted."""
    model, column, _ = ROWS["questions" if kind == "options" else kind]
    within = rows_with(project, kind, names).values("pk")[:MOST_COUNTED]
    columns = ("question", "answer") if kind == "options" else (column,)
    groups = (
        model.objects.filter(pk__in=within)
        .order_by()
        .values_list("annotation__protocol_id", *columns)
        .annotate(Count("pk"))
    )
    found = [(row[0], row[1:3] if kind == "options" else row[1], row[-1]) for row in groups]
    return found, sum(n for _, _, n in found) >= MOST_COUNTED


# --- What waits for another look ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Open:
    """A row whose label was split, so that somebody should look at its answer again."""

    family: str
    label: str
    row: Any


def to_look_at_again(protocol: Protocol, most: int = MOST_LISTED) -> list[Open]:
    """Standing rows made before `protocol` whose label it split, the latest first."""
    split = [
        (family, "", [name for name, new in protocol.relabelled.get(family, {}).items() if new is None])
        for family in PLAIN
    ]
    for question, mapping in protocol.relabelled.get("options", {}).items():
        split.append(("options", question, [name for name, new in mapping.items() if new is None]))
    before = Protocol.objects.filter(project=protocol.project_id, version=protocol.version - 1).first()
    if before is None:
        return []
    project, names = protocol.project, current_names(before)
    found: list[Open] = []
    for kind, question, gone in split:
        if not gone or not (raw := carriers(project, names, kind, question, gone)):
            continue
        rows = rows_with(project, kind, raw).filter(annotation__protocol__version__lt=protocol.version)
        rows = rows.select_related("annotation__annotator__user", "annotation__task").order_by("-pk")
        for row in rows[: 20 * most]:
            column = ROWS.get(kind, ("", "", ""))[1]
            written = (row.question, row.answer) if kind == "options" else getattr(row, column)
            if now := [n for n in read_as(names.of(row.annotation.protocol_id), kind, question, written) if n in gone]:
                found.append(Open(SINGULAR[kind], now[0], row))
            if len(found) >= most:
                return found
    return found
