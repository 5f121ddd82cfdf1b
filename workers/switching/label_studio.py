"""Label Studio: the JSON of a project's export, with its labelling configuration.

https://labelstud.io/guide/export. The configuration is an XML file, or the `label_config` of the project as the API
tells it (`GET /api/projects/{id}`). The button Export leaves the content of predictions out; snapshots have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from workers.rows import Found
from workers.switching import LOOKED_AT, Left, Opened, Plan, Tool, Wanted, tools
from workers.switching.asked import clean, kind_of, protocol_of, uses_of
from workers.switching.export import Export, Unreadable
from workers.switching.fields import Roles, roles_of
from workers.switching.labelling import PATH, POLARITIES, Config, Control, config_of, inferred
from workers.switching.regions import Dialogue, Marked, Page, Plain
from workers.switching.said import Opinion, Record, Speaker, becoming, missing_uses, turned
from workers.switching.talking import prompt_of, text_of, turns

SPANS = ("labels", "hypertextlabels", "paragraphlabels")
ONLY_IDS = "predictions: the export has only their numbers; make a snapshot that includes predictions"
CONFIG = "config.xml"


def recognises(export: Export) -> int:
    return 10 if tasks_in(export) else 0


def tasks_in(export: Export) -> list[str]:
    """The files whose first row is a task."""
    return [
        name
        for name in export.find(".json", ".jsonl", ".ndjson")
        if (rows := export.first(name, 1)) and is_task(rows[0])
    ]


def is_task(row: Mapping[str, Any]) -> bool:
    said = [row.get(name) for name in ("annotations", "completions", "predictions")]
    return isinstance(row.get("data"), dict) and any(isinstance(one, list) for one in said)


def open(export: Export, wanted: Wanted) -> Opened:
    """Raises Unreadable for an export without tasks, or a configuration that cannot be read."""
    files = tasks_in(export)
    if not files:
        raise Unreadable("has no tasks with data and annotations; export the project as JSON, not as JSON_MIN or CSV")
    config, guidelines = settings_in(export)
    if config is None:
        rows = (found.row for name in files for found in export.rows(name) if found.row is not None)
        config = inferred(islice(rows, LOOKED_AT))
    compared = [name for one in config.questions if len(one.on) > 1 for name in one.on]
    marked = [name for one in config.questions if one.kind in ("spans", "ranking") for name in one.on]
    marked += [name for one in config.questions for name in one.on]
    roles = roles_of(config.fields, wanted, list(dict.fromkeys(compared)), list(dict.fromkeys(marked)))
    listed = any(one.field == roles.responses[0] and one.kind == "list" for one in config.objects.values())
    uses = uses_of(config.questions, roles.responses, listed=listed)
    unread = [one for one in config.fields if one.kind not in ("text", "html", "chat", "dialogue", "list")]
    plan = Plan(
        kind=kind_of(uses),
        protocol=protocol_of(uses, guidelines, config.marks()),
        fields=tuple(one.name for one in config.fields if one not in unread),
        prompts=roles.prompts,
        responses=roles.responses,
        becomes=(*becoming(uses), *beside(config)),
        left={**config.left, **{f"the field {one.name}: it is {one.kind}": 0 for one in unread}, **missing_uses(uses)},
    )
    tasks = Tasks(export, files, config, roles)
    return Opened(plan, lambda left: tasks.rows(Speaker(uses, left), left), export.size(*files))


def settings_in(export: Export) -> tuple[Config | None, str]:
    """The labelling configuration, and the instructions where the project's settings are there."""
    for name in export.find(".xml"):
        return config_of(export.text(name)), ""
    for name in export.find("project.json", ".json"):
        told = export.holds(name)
        if isinstance(told, dict) and isinstance(told.get("label_config"), str):
            return config_of(told["label_config"]), Page(str(told.get("expert_instruction") or "")).text
    return None, ""


def beside(config: Config) -> Iterator[tuple[str, str]]:
    """What becomes of the controls that are asked of each region."""
    words = {"words": "words in a critique’s comment", "comment": "a critique’s comment", "edit": "a critique’s edit"}
    for one in config.controls.values():
        if one.becomes not in ("question", "spans"):
            yield one.name, words.get(one.becomes, f"a critique’s {one.becomes}")


class Tasks:
    """The tasks of an export as rows."""

    def __init__(self, export: Export, files: list[str], config: Config, roles: Roles) -> None:
        self.export, self.files, self.config, self.roles = export, files, config, roles
        self.shown = {one.field: one for one in config.objects.values()}

    def rows(self, speaker: Speaker, left: Left) -> Iterator[Found]:
        done = 0
        for name in self.files:
            for found in self.export.rows(name):
                made = turned(found, lambda task: speaker.row(self.record(task, left)))
                yield made._replace(at=done + found.at)
            done += self.export.size(name)

    def record(self, task: Mapping[str, Any], left: Left) -> Record:
        data = task["data"]
        for name, shown in self.shown.items():
            if shown.kind not in ("text", "html", "chat", "dialogue", "list") and data.get(name) is not None:
                left[f"the field {name}: it is {shown.kind}"] += 1
        if isinstance(comments := task.get("comment_count"), int) and comments:
            left["comments on tasks: the export has only their number"] += comments
        texts: dict[str, Marked] = {}
        asked = [self.content(name, data.get(name), texts, left) for name in self.roles.prompts]
        responses: list[Any] = []
        ids: dict[str, int] = {}
        for name in self.roles.responses:
            if self.shown[name].kind == "list":
                responses += items(data.get(name), ids)
            else:
                responses.append(self.content(name, data.get(name), texts, left))
        prompt, responses = prompt_of(asked, responses)
        used = {*self.roles.prompts, *self.roles.responses, *self.roles.documents}
        more = task.get("meta")
        return Record(
            id=task.get("id"),
            prompt=prompt,
            responses=responses,
            documents=[
                {"title": name, "text": text_of(found)}
                for name in self.roles.documents
                if (found := self.content(name, data.get(name), texts, left))
            ],
            metadata={
                **{name: value for name, value in data.items() if name not in used and value is not None},
                **(more if isinstance(more, dict) else {}),
            },
            opinions=[*self.people(task, texts, ids, left), *self.models(task, texts, ids, left)],
        )

    def content(self, name: str, value: Any, texts: dict[str, Marked], left: Left) -> Any:
        """What a field shows; its regions are found in `texts`."""
        shown = self.shown[name]
        if value is None or value == "":
            return None
        if shown.kind == "chat":
            return turns(value, left)
        if shown.kind == "dialogue" and isinstance(value, list):
            texts[name] = Dialogue(value, shown.author, shown.said)
        elif shown.kind == "html":
            texts[name] = Page(str(value))
        else:
            texts[name] = Plain(value if isinstance(value, str) else str(value))
        return texts[name].text

    def people(
        self, task: Mapping[str, Any], texts: Mapping[str, Marked], ids: Mapping[str, int], left: Left
    ) -> Iterator[Opinion]:
        """The last submitted answer of each person; skipped, earlier and unfinished ones are counted."""
        drafts = task.get("drafts")
        if isinstance(drafts, list) and drafts:
            left["drafts"] += len(drafts)
        latest: dict[str, Mapping[str, Any]] = {}
        for one in [*(task.get("annotations") or []), *(task.get("completions") or [])]:
            if not isinstance(one, dict) or one.get("was_cancelled"):
                left["tasks that somebody skipped" if isinstance(one, dict) else "annotations given as numbers"] += 1
                continue
            if one.get("ground_truth") is True:
                left["the mark of a ground truth"] += 1
            who = name_of(one.get("completed_by"))
            if who in latest:
                left["earlier answers of the same person"] += 1
            if who not in latest or when(one) >= when(latest[who]):
                latest[who] = one
        for who, one in latest.items():
            opinion = Opinion(who, active_ms=milliseconds(one.get("lead_time")))
            yield self.opinion(opinion, one, texts, ids, left)

    def models(
        self, task: Mapping[str, Any], texts: Mapping[str, Marked], ids: Mapping[str, int], left: Left
    ) -> Iterator[Opinion]:
        latest: dict[str, Mapping[str, Any]] = {}
        for one in task.get("predictions") or []:
            if not isinstance(one, dict):
                left[ONLY_IDS] += 1
                continue
            name = str(one.get("model_version") or "prediction")
            if name in latest:
                left["earlier predictions of the same model"] += 1
            latest[name] = one
        for name, one in latest.items():
            opinion = self.opinion(Opinion(name, kind="model"), one, texts, ids, left)
            opinion.scores = dict.fromkeys(opinion.said, one.get("score"))
            yield opinion

    def opinion(
        self,
        opinion: Opinion,
        given: Mapping[str, Any],
        texts: Mapping[str, Marked],
        ids: Mapping[str, int],
        left: Left,
    ) -> Opinion:
        """Put the results of one annotation into an opinion: regions with what is said of them, and the rest."""
        regions: dict[str, dict[str, Any]] = {}
        later: list[tuple[Control, dict[str, Any]]] = []
        for control in self.config.controls.values():
            if control.becomes == "spans" and set(control.question.on) & {*self.roles.responses, ""}:
                opinion.said[control.name] = []
        for result in given.get("result") or []:
            asked, value = self.config.controls.get(str(result.get("from_name"))), result.get("value")
            if asked is None or not isinstance(value, dict):
                left[f"results of type {result.get('type')}"] += 1
            elif asked.becomes == "spans":
                self.mark(regions, asked, result, texts, left)
            elif asked.becomes == "question":
                opinion.said[asked.name] = said_of(asked, value, ids)
            else:
                later.append((asked, result))
        for control, result in later:
            region = regions.get(str(result.get("id")))
            if region is None:
                left[f"answers of {control.name} on regions that are not there"] += 1
            else:
                remark(region, control, result["value"])
        for region in regions.values():
            opinion.said.setdefault(region.pop("control"), []).append(region)
        return opinion

    def mark(
        self,
        regions: dict[str, dict[str, Any]],
        control: Control,
        result: Mapping[str, Any],
        texts: Mapping[str, Marked],
        left: Left,
    ) -> None:
        """A region at its place, or with one more label where it is there already."""
        value = result["value"]
        names = [str(one) for kind in SPANS for one in value.get(kind) or []]
        id = str(result.get("id") or f"#{len(regions)}")
        if id in regions:
            regions[id]["type"] += names
            return
        on = next((name for name in control.question.on if name in texts), None) or next(iter(self.roles.responses))
        place = texts[on].place(value) if on in texts else None
        if place is None:
            left[f"regions of {control.name} whose text is not at their offsets"] += 1
            return
        regions[id] = {"control": control.name, "start": place[0], "end": place[1], "type": names}


def said_of(control: Control, value: Mapping[str, Any], ids: Mapping[str, int]) -> Any:
    """The value of a result about the whole."""
    match control.tag:
        case "Choices" | "Taxonomy":
            found = [
                PATH.join(one) if isinstance(one, list) else str(one) for one in value.get(control.tag.lower()) or []
            ]
            return found if control.question.kind == "labels" else ", ".join(found)
        case "Rating":
            return value.get("rating")
        case "Number" if control.question.kind == "rating":
            return value.get("number")
        case "Pairwise":
            return value.get("selected")
        case "Ranker":
            return ranks_of(control, value.get("ranker"), ids)
    found = value.get("text", value.get("number", value.get("datetime")))
    return "\n".join(map(str, found)) if isinstance(found, list) else "" if found is None else str(found)


def ranks_of(control: Control, given: Any, ids: Mapping[str, int]) -> list[tuple[Any, int]]:
    """(place of the item, rank): the order of a list, or the bucket that an item is in."""
    if isinstance(given, list):
        given = {control.name: given}
    if not isinstance(given, dict):
        return []
    if control.buckets:
        ranked = [name for name in control.buckets if name in given]
        return [(ids.get(str(one)), rank) for rank, name in enumerate(ranked, 1) for one in given[name]]
    order: list[Any] = given.get(control.name) or next(iter(given.values()), [])
    return [(ids.get(str(one)), rank) for rank, one in enumerate(order, 1)]


def items(value: Any, ids: dict[str, int]) -> list[Any]:
    """The items of a list as responses; `ids` learns their places."""
    found: list[Any] = []
    for n, one in enumerate(value if isinstance(value, list) else []):
        told = one if isinstance(one, dict) else {"body": one}
        ids[str(told.get("id", n))] = len(found)
        text = told.get("body") or (Page(str(told["html"])).text if told.get("html") else told.get("title") or "")
        titled = told.get("title") and told["title"] != text
        found.append({"text": str(text), "metadata": {"title": str(told["title"])}} if titled else str(text))
    return found


def remark(region: dict[str, Any], control: Control, value: Mapping[str, Any]) -> None:
    """What is said of a region besides its labels."""
    said = said_of(control, value, {})
    words = ", ".join(said) if isinstance(said, list) else str(said)
    if not words:
        return
    if control.becomes == "severity":
        region["severity"] = clean(words)
    elif control.becomes == "polarity" and words in POLARITIES:
        region["polarity"] = words
    elif control.becomes == "edit":
        region["edit"] = words
    else:
        words = words if control.becomes == "comment" else f"{control.name}: {words}"
        region["comment"] = f"{region['comment']}\n{words}" if region.get("comment") else words


def name_of(given: Any) -> str:
    """Who it was: the address of a snapshot's person, or else the number."""
    if isinstance(given, dict):
        given = given.get("email") or given.get("id")
    return str(given or "imported")


def when(annotation: Mapping[str, Any]) -> tuple[str, int]:
    number = annotation.get("id")
    return str(annotation.get("updated_at") or annotation.get("created_at") or ""), number if isinstance(
        number, int
    ) else 0


def milliseconds(seconds: Any) -> int | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 2_000_000:
        return None
    return int(seconds * 1000)


tools.add(Tool(name="label-studio", title="Label Studio", recognises=recognises, open=open))
