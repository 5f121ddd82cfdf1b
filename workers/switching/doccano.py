"""doccano: the ZIP of JSON lines that it exports, with a file for each person or one of all, and its label_config.json.

https://doccano.github.io/doccano/. A row is a text with spans, categories, texts, or spans and categories; what its
import file had besides is beside the text. The labels with their names are exported on their own page. Offsets are code
points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from workers.rows import Found, RowError
from workers.switching import LOOKED_AT, SHAPE, Left, Opened, Plan, Tool, Wanted, tools
from workers.switching.asked import LONGEST_NAME, MOST_LABELS, Option, Question, kind_of, protocol_of, uses_of
from workers.switching.export import Export, Unreadable
from workers.switching.fields import PROMPT, Field, Roles, roles_of
from workers.switching.said import Opinion, Record, Speaker, becoming, turned
from workers.switching.talking import prompt_of

SHARED, SOMEBODY = ("all", "unknown", "export", "data"), "imported"
USED = ("id", "text", "label", "labels", "entities", "relations", "cats", "Comments")
UNSAID = "rows in which somebody set no label: the export does not say whether they were looked at"
NAMELESS = "who said it: the export of a shared project does not say"
RELATIONS = "relations between spans"


def recognises(export: Export) -> int:
    return 8 if rows_in(export) else 0


def rows_in(export: Export) -> list[str]:
    """The files with rows of texts and labels."""
    return [name for name in export.find(".jsonl", ".json") if any(map(is_row, export.first(name, 5)))]


def is_row(row: Mapping[str, Any]) -> bool:
    if not isinstance(row.get("text"), str) or "id" not in row:
        return False
    return "Comments" in row or any(isinstance(row.get(name), list) for name in ("label", "labels", "entities", "cats"))


@dataclass(slots=True)
class Seen:
    """What the first rows tell of the project."""

    spans: dict[str, None] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)
    has_spans: bool = False
    several: bool = False
    comments: bool = False
    columns: dict[str, None] = field(default_factory=dict)

    def look(self, row: Mapping[str, Any]) -> None:
        self.columns.update(dict.fromkeys(name for name, value in row.items() if isinstance(value, str)))
        self.comments = self.comments or bool(row.get("Comments"))
        self.has_spans = self.has_spans or "entities" in row
        for span in spans_of(row):
            self.has_spans = True
            self.spans.update(dict.fromkeys(span["type"]))
        said = words_of(row)
        self.several = self.several or len(said) > 1
        for word in said:
            self.words[word] = self.words.get(word, 0) + 1

    def is_text(self, named: list[str]) -> bool:
        """Whether people wrote texts, rather than choosing categories: no label of the list is among them, or without
        a list they are long, or seldom the same."""
        if named:
            return bool(self.words) and not self.words.keys() & set(named)
        short = all(len(word) <= LONGEST_NAME for word in self.words)
        total = sum(self.words.values())
        return not short or len(self.words) > MOST_LABELS or len(self.words) > max(2, total // 2)


def open(export: Export, wanted: Wanted) -> Opened:
    """Raises Unreadable for an export without texts."""
    files = rows_in(export)
    if not files:
        raise Unreadable("has no JSON lines of texts with labels; projects of images and sounds are not read")
    seen, named = Seen(), labels_in(export)
    for found in islice((found for name in files for found in export.rows(name)), LOOKED_AT):
        with suppress(RowError, *SHAPE):  # such a row is refused when it is read
            seen.look(found.row or {})
    columns = [name for name in seen.columns if name == "text" or name not in USED]
    shown = [name for name in columns if name == "text" or PROMPT.fullmatch(name.lower()) or name in wanted.prompts]
    roles = roles_of([Field(name) for name in shown], Wanted(wanted.prompts, wanted.responses or ("text",)))
    questions = questions_of(seen, named)
    uses = uses_of(questions, roles.responses[:1])
    protocol = protocol_of(uses, "")
    if seen.comments:
        protocol["rationale"] = "optional"
    plan = Plan(
        kind=kind_of(uses),
        protocol=protocol,
        fields=tuple(columns),
        prompts=roles.prompts,
        responses=roles.responses[:1],
        becomes=(*becoming(uses), *([("Comments", "the rationale")] if seen.comments else [])),
        left={} if named else {"the list of labels: no label_config.json was given, so they are read from the rows": 1},
    )
    rows = Rows(export, files, roles, questions)
    return Opened(plan, lambda left: rows.read(Speaker(uses, left), left), export.size(*files))


def labels_in(export: Export) -> list[str]:
    """The names in label_config.json, of one list or several."""
    names: dict[str, None] = {}
    for name in export.find(".json"):
        told = export.holds(name)
        if isinstance(told, list) and told and all(isinstance(one, dict) and "background_color" in one for one in told):
            names.update(dict.fromkeys(str(one.get("text")) for one in told))
    return list(names)


def questions_of(seen: Seen, named: list[str]) -> list[Question]:
    """Spans, and categories or texts; a list of labels counts for what is there."""
    questions = []
    options = named or list(seen.spans)
    if seen.has_spans:
        given = [name for name in options if name not in seen.words or name in seen.spans]
        questions.append(Question("spans", "spans", options=tuple(map(Option, given)), on=("text",)))
    if seen.words and seen.is_text(named):
        questions.append(Question("answer", "text", title="What is the answer?", required=False))
    elif seen.words or (named and not seen.has_spans):
        given = [name for name in named if name not in seen.spans] or list(seen.words)
        kind = "labels" if seen.several else "label"
        questions.append(Question("category", kind, title="Which category?", options=tuple(map(Option, given))))
    return questions


def spans_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The spans of a row, as tuples or as objects."""
    given = [one for name in ("label", "labels", "entities") for one in row.get(name) or [] if not isinstance(one, str)]
    found = []
    for one in given:
        if isinstance(one, list) and len(one) == 3:
            start, end, name = one
        elif isinstance(one, dict) and "start_offset" in one:
            start, end, name = one["start_offset"], one.get("end_offset"), one.get("label")
        else:
            raise RowError("must be a start, an end and a label", "label")
        found.append({"start": start, "end": end, "type": [str(name)] if name else []})
    return found


def words_of(row: Mapping[str, Any]) -> list[str]:
    """Categories or texts of a row."""
    given = [row.get(name) for name in ("cats", "label", "labels")]
    return [one for value in given if isinstance(value, list) for one in value if isinstance(one, str)]


class Rows:
    """The texts of the export, each with what everybody said of it."""

    def __init__(self, export: Export, files: list[str], roles: Roles, questions: list[Question]) -> None:
        self.export, self.files, self.roles = export, files, roles
        self.kinds = {one.name: one.kind for one in questions}

    def read(self, speaker: Speaker, left: Left) -> Iterator[Found]:
        """The rows of one file as they come; of several, those with one id together."""
        for found, said in self.grouped() if len(self.files) > 1 else self.alone():
            yield turned(found, partial(self.row, speaker, left, said)) if said else found

    def alone(self) -> Iterator[tuple[Found, dict[str, Mapping[str, Any]]]]:
        for found in self.export.rows(self.files[0]):
            yield found, {self.files[0]: found.row} if found.row is not None else {}

    def grouped(self) -> Iterator[tuple[Found, dict[str, Mapping[str, Any]]]]:
        """Each person's file has every text again, so all of them are held in memory."""
        groups: dict[str, tuple[Found, dict[str, Mapping[str, Any]]]] = {}
        done = 0
        for name in self.files:
            for found in self.export.rows(name):
                if found.row is None:
                    yield found._replace(at=done + found.at), {}
                    continue
                first, said = groups.setdefault(str(found.row.get("id")), (found._replace(at=done + found.at), {}))
                if first.row is not None and first.row.get("text") != found.row.get("text"):
                    groups[f"{name} {found.line}"] = found._replace(at=done + found.at), {name: found.row}
                    continue
                said[name] = found.row
            done += self.export.size(name)
        yield from groups.values()

    def row(
        self, speaker: Speaker, left: Left, said: Mapping[str, Mapping[str, Any]], _: Mapping[str, Any]
    ) -> dict[str, Any]:
        return speaker.row(self.record(said, left))

    def record(self, said: Mapping[str, Mapping[str, Any]], left: Left) -> Record:
        row = next(iter(said.values()))
        prompt, responses = prompt_of(
            [row.get(name) for name in self.roles.prompts], [row.get(name) for name in self.roles.responses[:1]]
        )
        used = {*USED, *self.roles.prompts, *self.roles.responses}
        opinions = [self.opinion(name, given, left) for name, given in said.items()]
        return Record(
            id=row.get("id"),
            prompt=prompt,
            responses=responses,
            metadata={name: value for name, value in row.items() if name not in used and value is not None},
            opinions=[one for one in opinions if one.said or one.comment],
        )

    def opinion(self, name: str, row: Mapping[str, Any], left: Left) -> Opinion:
        """What one file says of a text."""
        who = PurePosixPath(name).stem
        opinion = Opinion(SOMEBODY if who in SHARED or len(self.files) == 1 and not in_zip(self.export) else who)
        spans, words = spans_of(row), words_of(row)
        relations = row.get("relations")
        if isinstance(relations, list) and relations:
            left[RELATIONS] += len(relations)
        comments = row.get("Comments") or []
        opinion.comment = "\n".join(
            str(one.get("comment", "") if isinstance(one, dict) else one) for one in comments if one
        )
        said: dict[str, Callable[[], Any]] = {
            "spans": lambda: spans,
            "text": lambda: "\n".join(words),
            "label": lambda: words[0] if words else None,
            "labels": lambda: words,
        }
        if spans or words:
            opinion.said = {question: said[kind]() for question, kind in self.kinds.items()}
        if not opinion.said and not opinion.comment:
            left[UNSAID] += 1
        elif opinion.annotator == SOMEBODY:
            left[NAMELESS] += 1
        return opinion


def in_zip(export: Export) -> bool:
    return export.packed is not None


tools.add(Tool(name="doccano", title="doccano", recognises=recognises, open=open))
