"""The form of a protocol: flat fields named by their paths in its JSON, and the way there and back.

`critiques.types.2.name` is the name of the third type. Rows are added, moved and removed in the flat data, so that
the page works without a script; a row in which nothing is filled in is no row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from curation.services.protocols import shown
from curation.views.protocol_fields import (
    Asking,
    Axis,
    Condition,
    CritiquesPart,
    HelpPart,
    LabelRow,
    Part,
    Polarities,
    QuestionRow,
    SeverityRow,
)

Flat = dict[str, str]

# --- Flat and nested ----------------------------------------------------------------------------------


def flat_of(values: Mapping[str, Any]) -> Flat:
    """A protocol's values as the fields of its form."""
    flat: Flat = {}
    for path, value in leaves(as_fields(values), ""):
        if value is not None and value is not False and value != "":
            flat[path] = "on" if value is True else str(value)
    return flat


def as_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the form groups them; every name also as what it `was`."""
    critiques = values["critiques"]
    return {
        **values,
        "axes": [axis | {"was": axis["name"]} for axis in values["axes"]],
        "critiques": {
            **critiques,
            "types": labels_as_fields(critiques["types"]),
            "severities": labels_as_fields(critiques["severities"]),
            "polarities": dict.fromkeys(critiques["polarities"], True),
        },
        "questions": [
            {
                **question,
                "was": question["name"],
                "options": labels_as_fields(question["options"]),
                "when": [
                    {"question": name, "answers": ", ".join(map(shown, answers))}
                    for name, answers in question["when"].items()
                ],
                "comment_for": ", ".join(map(shown, question["comment_for"])),
                "stop": "" if question["stop"] is None else shown(question["stop"]),
            }
            for question in values["questions"]
        ],
        "help": {"mode": values["help"]["mode"], "holdout": f"{100 * values['help']['holdout']:g}"},
    }


def labels_as_fields(labels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        label | {"was": label["name"]} | ({"weight": f"{label['weight']:g}"} if "weight" in label else {})
        for label in labels
    ]


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    entries = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else None
    if entries is None:
        yield path, value
        return
    for key, inner in entries:
        yield from leaves(inner, f"{path}.{key}" if path else str(key))


def rows_at(flat: Mapping[str, str], path: str) -> list[int]:
    """The numbers of the rows that the fields under `path` have, in order."""
    start = len(path) + 1
    heads = {key[start:].partition(".")[0] for key in flat if key.startswith(f"{path}.")}
    return sorted(int(head) for head in heads if head.isascii() and head.isdigit() and len(head) < 5)


def arranged(flat: Mapping[str, str], act: str, path: str) -> Flat:
    """The fields after a row was added to the list at `path`, or the row there was moved or removed."""
    if act == "add":
        last = max(rows_at(flat, path), default=-1)
        return renumbered({**flat, f"{path}.{last + 1}.row": "1"}, path, [*rows_at(flat, path), last + 1])
    parent, _, number = path.rpartition(".")
    order = rows_at(flat, parent)
    if not number.isdigit() or int(number) not in order:
        return dict(flat)
    place = order.index(int(number))
    row = order.pop(place)
    if act in ("up", "down"):
        order.insert(max(0, place + (1 if act == "down" else -1)), row)
    return renumbered(flat, parent, order)


def renumbered(flat: Mapping[str, str], path: str, order: list[int]) -> Flat:
    """The fields with the rows at `path` in this order; rows that it does not name are gone."""
    places = {row: place for place, row in enumerate(order)}
    found: Flat = {}
    for key, value in flat.items():
        if not key.startswith(f"{path}."):
            found[key] = value
            continue
        head, dot, rest = key[len(path) + 1 :].partition(".")
        if not head.isdigit():
            found[key] = value
        elif int(head) in places:
            found[f"{path}.{places[int(head)]}{dot}{rest}"] = value
    return found


def parsed(answer: str, kind: str) -> bool | int | str:
    """An answer as it is written, as the question has it."""
    plain = answer.strip().replace("\u2212", "-")
    if kind == "yesno" and plain.lower() in ("yes", "no", "true", "false"):
        return plain.lower() in ("yes", "true")
    if kind == "rating" and plain.lstrip("-").isdigit() and plain.isascii():
        return int(plain)
    return plain


def answers_in(words: str, kind: str) -> list[bool | int | str]:
    return [parsed(answer, kind) for answer in words.split(",") if answer.strip()]


# --- The whole ----------------------------------------------------------------------------------------


class Question:
    """A question's row with its lists."""

    def __init__(self, flat: Mapping[str, str], path: str) -> None:
        self.row = QuestionRow(flat, path)
        self.options = [LabelRow(flat, f"{path}.options.{n}") for n in rows_at(flat, f"{path}.options")]
        self.when = [Condition(flat, f"{path}.when.{n}") for n in rows_at(flat, f"{path}.when")]

    @property
    def empty(self) -> bool:
        words = ("name", "question", "was")
        said = any(str(self.row.data.get(self.row.add_prefix(name), "")).strip() for name in words)
        return not said and all(option.empty for option in self.options)


class Editor:
    """The form of a protocol in its parts."""

    def __init__(self, flat: Mapping[str, str]) -> None:
        self.flat = flat
        self.asking = Asking(flat)
        self.axes = [Axis(flat, f"axes.{n}") for n in rows_at(flat, "axes")]
        self.critiques = CritiquesPart(flat, "critiques")
        self.types = [LabelRow(flat, f"critiques.types.{n}") for n in rows_at(flat, "critiques.types")]
        severities = rows_at(flat, "critiques.severities")
        self.severities = [SeverityRow(flat, f"critiques.severities.{n}") for n in severities]
        self.polarities = Polarities(flat, "critiques.polarities")
        self.questions = [Question(flat, f"questions.{n}") for n in rows_at(flat, "questions")]
        self.help = HelpPart(flat, "help")
        self.places: dict[str, Part] = {"": self.asking, "critiques": self.critiques, "help": self.help}
        """The part that holds the fields of each path of the values."""
        self.errors: dict[str, str] = {}
        """What is wrong with whole lists, by the path with _ for its dots."""

    def values(self) -> dict[str, Any]:
        """The protocol's values as the form says them; what makes no sense stays for the check to find."""
        said = self.asking.values()
        said["guidelines"] = said["guidelines"].replace("\r\n", "\n")
        judged = self.polarities.values()
        return {
            **said,
            "axes": [without(row.values(), "was") for row in self.kept(self.axes, "axes")],
            "critiques": {
                **self.critiques.values(),
                "types": [label_of(row) for row in self.kept(self.types, "critiques.types")],
                "severities": [label_of(row) for row in self.kept(self.severities, "critiques.severities")],
                "polarities": [name for name in ("poor", "neutral", "good") if judged[name]],
            },
            "questions": list(self.question_values()),
            "help": self.help_values(),
        }

    def kept(self, rows: list[Any], path: str) -> Iterator[Any]:
        """Rows in which something is filled in, each known by its place among the values."""
        for number, row in enumerate(row for row in rows if not row.empty):
            self.places[f"{path}.{number}"] = row
            yield row

    def help_values(self) -> dict[str, Any]:
        said = self.help.values()
        share = said["holdout"]
        if isinstance(share, int | float):
            share = round(share / 100, 6)
        return {"mode": said["mode"], **({"holdout": share} if share not in (None, "") else {})}

    def question_values(self) -> Iterator[dict[str, Any]]:
        kinds: dict[str, str] = {}
        for number, question in enumerate(q for q in self.questions if not q.empty):
            path = f"questions.{number}"
            self.places[path] = question.row
            said = without(question.row.values(), "was")
            kind = said["kind"] = said["kind"] or "yesno"
            low, high, stop, needing = (said.pop(name) for name in ("low", "high", "stop", "comment_for"))
            said = {name: value for name, value in said.items() if value != "" or name in ("name", "question")}
            if kind == "rating":
                said |= {name: value for name, value in (("low", low), ("high", high)) if value not in (None, "")}
            if kind in ("choice", "choices", "rating"):
                said["options"] = [label_of(row) for row in self.kept(question.options, f"{path}.options")]
            if said.get("scope") == "unit" and str(stop).strip():
                said["stop"] = parsed(stop, kind)
            if said.get("comment") == "optional":
                said["comment_for"] = answers_in(needing, kind)
            said["when"] = {
                name: answers_in(condition["answers"], kinds.get(name, ""))
                for condition in (row.values() for row in self.kept(question.when, f"{path}.when"))
                if (name := condition["question"].strip()) or condition["answers"].strip()
            }
            kinds[said["name"]] = kind
            yield said

    def renamed(self) -> dict[str, Any]:
        """Names that were changed in place, as a protocol's `relabelled` has it."""
        found: dict[str, Any] = {
            "axes": renames(self.axes),
            "types": renames(self.types),
            "severities": renames(self.severities),
            "questions": renames([question.row for question in self.questions]),
            "options": {},
        }
        for question in self.questions:
            if was := question.row.values()["was"]:
                found["options"][was] = renames(question.options)
        return found

    def refuse(self, faults: Mapping[str, str]) -> None:
        """Put what is wrong at the fields; `values` was asked for before."""
        for path, words in faults.items():
            self.put(path, words[:1].upper() + words[1:] + ".")

    def put(self, path: str, words: str) -> None:
        head, rest = path, ""
        while head not in self.places:
            head, _, last = head.rpartition(".")
            rest = f"{last}.{rest}" if rest else last
        part, field = self.places[head], rest.partition(".")[0]
        if field in part.fields:
            if not part.errors.get(field):
                part.add_error(field, words)
        elif field in ("options", "when") and isinstance(part, QuestionRow):
            part.listed.append(words)
        else:
            self.errors[path.replace(".", "_") or "all"] = words

    @property
    def wrong_in_critiques(self) -> bool:
        parts = [self.critiques, *self.types, *self.severities]
        return any(part.errors or part.listed for part in parts) or any(k.startswith("critiques") for k in self.errors)


def without(said: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in names}


def label_of(row: Part) -> dict[str, Any]:
    said = without(row.values(), "was")
    return {name: value for name, value in said.items() if value is not None}


def renames(rows: list[Any]) -> dict[str, str]:
    said = [row.values() for row in rows if not row.empty]
    return {row["was"]: row["name"] for row in said if row["was"] and row["name"] and row["was"] != row["name"]}
