"""Names of labels over the versions of a protocol: what each version has, and how earlier names are read later.

A version's `relabelled` says as which of its own labels it reads those of the version before (see `relabelling`); what
was said under version k is read under version n by the mappings of k + 1 to n, one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from curation.models import Protocol

Relabelled = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Reading:
    """Labels of one version as those of a later one: by the mappings of the versions between, in order."""

    steps: tuple[Relabelled, ...] = ()

    def label(self, family: str, name: str) -> str | None:
        """The name in the later version; None where the label was split."""
        found: str | None = name
        for step in self.steps:
            if not found:
                break
            found = step.get(family, {}).get(found, found)
        return found

    def type(self, name: str) -> str | None:
        return self.label("types", name)

    def severity(self, name: str) -> str | None:
        return self.label("severities", name)

    def axis(self, name: str) -> str | None:
        return self.label("axes", name)

    def question(self, name: str) -> str | None:
        return self.label("questions", name)

    def option(self, question: str, name: str) -> str | None:
        """An option of `question`, as both are called in the earlier version."""
        asked: str | None = question
        found: str | None = name
        for step in self.steps:
            if asked is None or found is None:
                return None
            found = step.get("options", {}).get(asked, {}).get(found, found)
            asked = step.get("questions", {}).get(asked, asked)
        return found if asked is not None else None

    def answer(self, question: str, value: Any) -> Any:
        """The answer to `question`; of several labels those that can still be read, None where the one cannot."""
        if isinstance(value, list):
            kept = [self.option(question, each) if isinstance(each, str) else each for each in value]
            return list(dict.fromkeys(each for each in kept if each is not None))
        return self.option(question, value) if isinstance(value, str) else value

    def shown(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """An answer as `suggesting.as_shown` has it; what was split is unlabelled, of two merged the namesake stays."""
        return {
            **said,
            "critiques": [
                critique
                | {"type": self.type(critique["type"]) or "", "severity": self.severity(critique["severity"]) or ""}
                for critique in said["critiques"]
            ],
            "preferences": list(self.merged(said["preferences"], "axis", ())),
            "verdicts": [
                verdict
                for verdict in self.merged(said["verdicts"], "question", ("response", "start"))
                if verdict["answer"] is not None
            ],
        }

    def merged(self, rows: Iterable[Mapping[str, Any]], key: str, within: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        """Rows under their later names, one per name (and place)."""
        kept: dict[tuple[Any, ...], tuple[bool, dict[str, Any]]] = {}
        for row in rows:
            name = self.label("axes" if key == "axis" else "questions", row[key])
            if name is None:
                continue
            read = {**row, key: name}
            if key == "question":
                read["answer"] = self.answer(row[key], row["answer"])
            place = (name, *(row[part] for part in within))
            if place not in kept or (name == row[key] and not kept[place][0]):
                kept[place] = (name == row[key], read)
        yield from (read for _, read in kept.values())


@dataclass(frozen=True, slots=True)
class CurrentNames:
    """How answers made under any version are read under one of them."""

    version: int
    versions: Mapping[int, int]
    """Version number by the id of a protocol."""
    steps: Mapping[int, Relabelled]
    """Mappings by version number."""
    made: dict[int, Reading] = field(default_factory=dict)

    def since(self, version: int) -> Reading:
        """The reading of what was said under `version`."""
        if version not in self.made:
            between = sorted(n for n in self.steps if version < n <= self.version)
            self.made[version] = Reading(tuple(self.steps[n] for n in between))
        return self.made[version]

    def of(self, protocol_id: int) -> Reading:
        """The reading of an answer, by its `protocol_id`."""
        return self.since(self.versions.get(protocol_id, self.version))

    def __bool__(self) -> bool:
        """Whether anything was ever relabelled."""
        return bool(self.steps)


def current_names(protocol: Protocol) -> CurrentNames:
    """How answers made under the project's earlier versions are read under `protocol`."""
    found = Protocol.objects.filter(project=protocol.project_id, version__lte=protocol.version)
    rows = list(found.values_list("pk", "version", "relabelled"))
    return CurrentNames(
        protocol.version,
        {pk: version for pk, version, _ in rows},
        {version: relabelled for _, version, relabelled in rows if relabelled},
    )


def names_under(protocol_id: int, earlier: Iterable[int]) -> CurrentNames | None:
    """How answers of `earlier` protocols are read under another one; None where all is called as it was."""
    if all(one == protocol_id for one in earlier):
        return None
    return current_names(Protocol.objects.get(pk=protocol_id)) or None


def labels(asked: Mapping[str, Any]) -> dict[str, list[str]]:
    """The names of a protocol's labels, by family; those of options as `options|question`."""
    critiques = asked["critiques"]
    found = {
        "types": [label["name"] for label in critiques.get("types", [])],
        "severities": [label["name"] for label in critiques.get("severities", [])],
        "axes": [axis["name"] for axis in asked["axes"]],
        "questions": [question["name"] for question in asked["questions"]],
    }
    for question in asked["questions"]:
        if question.get("kind") in ("choice", "choices"):
            found[f"options|{question['name']}"] = [label["name"] for label in question.get("options", [])]
    return found


def labels_of(protocol: Protocol) -> dict[str, list[str]]:
    return labels({"critiques": protocol.critiques, "axes": protocol.axes, "questions": protocol.questions})
