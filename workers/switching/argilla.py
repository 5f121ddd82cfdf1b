"""Argilla 2: a folder as `Dataset.to_disk` writes it, or as `Dataset.to_hub` pushes it to the Hub.

https://docs.argilla.io/latest/how_to_guides/import_export/. Both have `.argilla/settings.json`; the records are
`records.json`, or Parquet whose columns are `question.responses`, `question.responses.users` and so on. Spans count
code points. `to_disk` does not write whether an answer was submitted, a draft or discarded: `to_hub` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import orjson

from workers.rows import Found
from workers.switching import Left, Opened, Plan, Tool, Wanted, tools
from workers.switching.asked import Option, Question, kind_of, protocol_of, uses_of
from workers.switching.export import Export, Unreadable
from workers.switching.fields import Field, Roles, roles_of
from workers.switching.preferring import tokens
from workers.switching.said import Opinion, Record, Speaker, becoming, missing_uses, turned
from workers.switching.talking import prompt_of, text_of, turns

SETTINGS = "settings.json"
KINDS = {
    "label_selection": "label",
    "multi_label_selection": "labels",
    "rating": "rating",
    "ranking": "ranking",
    "span": "spans",
    "text": "text",
}
UNKNOWN_STATUS = "whether answers were submitted: records.json does not say, so drafts and discarded ones are taken too"


def recognises(export: Export) -> int:
    settings = settings_in(export)
    return 10 if settings else 5 if export.find("argilla.yaml") else 0


def settings_in(export: Export) -> Mapping[str, Any] | None:
    for name in export.find(SETTINGS):
        found = export.holds(name)
        if isinstance(found, dict) and isinstance(found.get("questions"), list) and "fields" in found:
            return found
    return None


def open(export: Export, wanted: Wanted) -> Opened:
    """Raises Unreadable for an export without settings or records."""
    settings = settings_in(export)
    if settings is None:
        raise Unreadable("has no .argilla/settings.json; exports of Argilla 1 are loaded into Argilla 2 first")
    files = export.find("records.json", "records.jsonl") or export.find(".parquet")
    if not files:
        raise Unreadable("has settings, but neither records.json nor Parquet files")
    fields = [Field(str(one["name"]), kind_of_field(one)) for one in settings["fields"]]
    questions = [question_of(one) for one in settings["questions"]]
    compared = [str(value) for one in questions if one.kind == "ranking" for value in one.values]
    marked = [name for one in questions for name in one.on]
    roles = roles_of(fields, wanted, compared, marked)
    uses = uses_of(questions, roles.responses)
    left = {f"the field {field.name}: it is {field.kind}": 0 for field in fields if field.kind in ("image", "custom")}
    left |= {f"vectors {one['name']}": 0 for one in settings.get("vectors") or []} | missing_uses(uses)
    plan = Plan(
        kind=kind_of(uses),
        protocol=protocol_of(uses, settings.get("guidelines") or ""),
        fields=tuple(field.name for field in fields if field.kind in ("text", "chat")),
        prompts=roles.prompts,
        responses=roles.responses,
        becomes=becoming(uses),
        left=left,
    )
    reader = Records(export, files, fields, roles, settings)
    return Opened(plan, lambda left: reader.rows(Speaker(uses, left), left), export.size(*files))


def kind_of_field(field: Mapping[str, Any]) -> str:
    return str((field.get("settings") or {}).get("type") or field.get("type") or "text")


def question_of(told: Mapping[str, Any]) -> Question:
    """A question of settings.json."""
    settings = told.get("settings") or {}
    options = [
        Option(one.get("value"), str(one.get("text") or ""))
        for one in settings.get("options") or []
        if isinstance(one, dict)
    ]
    marked = settings.get("field")
    return Question(
        name=str(told["name"]),
        kind=KINDS.get(str(settings.get("type")), "unknown"),
        title=str(told.get("title") or ""),
        about=str(told.get("description") or ""),
        options=tuple(options),
        required=told.get("required") is not False,
        on=(str(marked),) if marked else (),
    )


class Records:
    """The records of the export as rows."""

    def __init__(
        self, export: Export, files: list[str], fields: list[Field], roles: Roles, settings: Mapping[str, Any]
    ) -> None:
        self.export, self.files, self.roles = export, files, roles
        self.kinds = {field.name: field.kind for field in fields}
        self.questions = {
            str(one["name"]): KINDS.get(str((one.get("settings") or {}).get("type"))) for one in settings["questions"]
        }
        self.vectors = [str(one["name"]) for one in settings.get("vectors") or []]

    def rows(self, speaker: Speaker, left: Left) -> Iterator[Found]:
        done = 0
        for name in self.files:
            names = class_names(self.export, name)
            for found in self.export.rows(name):
                made = turned(found, partial(self.row, speaker, names, left))
                yield made._replace(at=done + found.at)
            done += self.export.size(name)

    def row(
        self, speaker: Speaker, names: Mapping[str, list[str]], left: Left, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        told = given if isinstance(given.get("fields"), dict) else self.nested(given, names)
        return speaker.row(self.record(told, left))

    def nested(self, row: Mapping[str, Any], names: Mapping[str, list[str]]) -> dict[str, Any]:
        """A row of the Hub's columns as records.json has it, with the status of each answer."""
        responses, suggestions, used = {}, {}, set(self.kinds) | {"id", "status", "_server_id", *self.vectors}
        for question in self.questions:
            given = row.get(f"{question}.responses") or []
            users, status = row.get(f"{question}.responses.users") or [], row.get(f"{question}.responses.status") or []
            responses[question] = [
                {"value": value, "user_id": user, "status": said}
                for value, user, said in zip(given, users, status, strict=False)
            ]
            value = row.get(f"{question}.suggestion")
            if f"{question}.suggestion" in names and isinstance(value, int):
                value = dict(enumerate(names[f"{question}.suggestion"])).get(value)
            if value is not None:
                told = {part: row.get(f"{question}.suggestion.{part}") for part in ("score", "agent")}
                suggestions[question] = {"value": value, **told}
            used |= {name for name in row if name.startswith((f"{question}.responses", f"{question}.suggestion"))}
        return {
            "id": row.get("id"),
            "fields": {name: row.get(name) for name in self.kinds},
            "metadata": {name: value for name, value in row.items() if name not in used and value is not None},
            "vectors": {name: row.get(name) for name in self.vectors},
            "responses": responses,
            "suggestions": suggestions,
        }

    def record(self, told: Mapping[str, Any], left: Left) -> Record:
        given = told["fields"]
        for name, kind in self.kinds.items():
            if kind in ("image", "custom") and given.get(name) is not None:
                left[f"the field {name}: it is {kind}"] += 1
        for name, vector in (told.get("vectors") or {}).items():
            if vector is not None:
                left[f"vectors {name}"] += 1
        prompt, responses = self.parts(given, left)
        metadata = {name: value for name, value in (told.get("metadata") or {}).items() if value is not None}
        documents = [{"title": name, "text": text_of(given[name])} for name in self.roles.documents if given.get(name)]
        return Record(
            id=told.get("id") or told.get("_server_id"),
            prompt=prompt,
            responses=responses,
            models=models_of(metadata, self.roles.responses),
            documents=documents,
            metadata=metadata,
            opinions=[*self.people(told.get("responses") or {}, left), *self.models(told.get("suggestions") or {})],
        )

    def parts(self, given: Mapping[str, Any], left: Left) -> tuple[Any, list[Any]]:
        """Prompt and responses; of a chat that is judged as a whole, its last turn is the response."""
        responses = [self.content(name, given.get(name), left) for name in self.roles.responses]
        asked = [self.content(name, given.get(name), left) for name in self.roles.prompts]
        return prompt_of(asked, responses)

    def content(self, name: str, value: Any, left: Left) -> Any:
        return turns(value, left) if self.kinds[name] == "chat" else value

    def people(self, responses: Mapping[str, Any], left: Left) -> Iterator[Opinion]:
        """What each person has submitted; drafts and discarded answers are counted."""
        by_user: dict[str, Opinion] = {}
        apart: dict[str, str] = {}
        for question, given in responses.items():
            for one in given or []:
                user = str(one.get("user_id") or "imported")
                if (status := one.get("status", "")) not in ("", None, "submitted"):
                    apart[user] = status
                    continue
                opinion = by_user.setdefault(user, Opinion(user))
                opinion.said[question] = self.value(question, one.get("value"))
        left.update(f"answers that are {'drafts' if one == 'draft' else one}" for one in apart.values())
        if by_user and not any("status" in one for given in responses.values() for one in given or []):
            left[UNKNOWN_STATUS] += len(by_user)
        yield from by_user.values()

    def models(self, suggestions: Mapping[str, Any]) -> Iterator[Opinion]:
        by_agent: dict[str, Opinion] = {}
        for question, one in suggestions.items():
            if isinstance(one, dict) and one.get("value") is not None:
                agent = str(one.get("agent") or "suggestion")
                opinion = by_agent.setdefault(agent, Opinion(agent, kind="model"))
                opinion.said[question] = self.value(question, one["value"])
                score = one.get("score")
                opinion.scores[question] = score[0] if isinstance(score, list) and len(score) == 1 else score
        yield from by_agent.values()

    def value(self, question: str, value: Any) -> Any:
        """A value as our side has it: ranks with their places, spans with a list of types."""
        if value is None:
            return None
        match self.questions.get(question):
            case "ranking":
                return [
                    (one.get("value"), one.get("rank") or n) if isinstance(one, dict) else (one, n)
                    for n, one in enumerate(value, 1)
                ]
            case "spans":
                return [
                    {
                        "start": one.get("start"),
                        "end": one.get("end"),
                        "type": [one["label"]] if one.get("label") else [],
                    }
                    for one in value
                ]
        return value


def models_of(metadata: Mapping[str, Any], responses: tuple[str, ...]) -> list[str]:
    """Who wrote each response, where the metadata say so: response_a_model, model_a, or model of a single one."""
    common = set.intersection(*(set(tokens(name)) for name in responses))
    found = []
    for name in responses:
        own = [token for token in tokens(name) if token not in common] if len(responses) > 1 else []
        names = [f"{name}_model", f"{name}-model", f"model_{'_'.join(own)}"] if own else [f"{name}_model", "model"]
        found.append(next((metadata[key] for key in names if isinstance(metadata.get(key), str)), ""))
    return found


def class_names(export: Export, name: str) -> dict[str, list[str]]:
    """The names behind the numbers of a Parquet file's columns: `to_hub` writes suggested labels as ClassLabel."""
    if not name.endswith(".parquet"):
        return {}
    import pyarrow as pa
    import pyarrow.parquet as pq

    with suppress(pa.ArrowException, OSError, ValueError, KeyError, TypeError):
        metadata = pq.read_schema(export.path(name)).metadata or {}
        features = orjson.loads(metadata[b"huggingface"])["info"]["features"]
        return {column: one["names"] for column, one in features.items() if isinstance(one, dict) and "names" in one}
    return {}


tools.add(Tool(name="argilla", title="Argilla", recognises=recognises, open=open))
