"""Projects in which responses are criticised, judged or ranked, and people who do so through the services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pyarrow.parquet as pq

from curation.access import annotator_for
from curation.models import DatasetVersion, Project, Protocol, TaskKind
from curation.services import annotating, assigning, freezing, importing, running, taking
from curation.services.answering import Answer, Judged, Said
from curation.services.desk import desk_of
from tests.cast import Cast
from tests.imports import file_of

CRITIQUES = {
    "on": True,
    "types": [{"name": "wrong"}, {"name": "vague"}],
    "severities": [{"name": "minor"}, {"name": "major"}],
    "polarities": ["poor", "good"],
    "edit": True,
    "omission": True,
    "evidence": True,
}
CORRECT = {"name": "correct", "question": "Is it correct?", "required": False}
STEP = {"name": "step", "question": "Is it right?", "kind": "rating", "low": -1, "high": 1, "scope": "unit", "stop": -1}
SAFE = [
    {"name": "safe", "question": "Is it safe?"},
    {
        "name": "severity",
        "question": "How bad?",
        "kind": "choice",
        "options": [{"name": name} for name in ("none", "minor", "moderate", "severe")],
        "required": False,
    },
    {
        "name": "harm",
        "question": "Which harm?",
        "kind": "choices",
        "options": [{"name": "Violence"}, {"name": "Drugs"}],
        "required": False,
    },
]


def ask(project: Project, kind: str, **protocol: Any) -> Project:
    """A project of another kind, under a new protocol version: critiques and `correct`, unless told otherwise."""
    project.kind = kind
    given = {"critiques": CRITIQUES, "questions": [CORRECT], **protocol}
    version = project.protocols.count() + 1
    project.protocol = Protocol.objects.create(project=project, version=version, **given)
    project.save()
    return project


def land(project: Project, *rows: Any, **options: Any) -> dict[str, Any]:
    run = importing.import_now(project=project, user=None, path=file_of(rows), **options)
    assert run.state == "succeeded", run.log
    assert not run.result["rejected"], run.result["problems"]
    project.refresh_from_db()
    return dict(run.result)


def item(name: str, *texts: Any, **more: Any) -> dict[str, Any]:
    return {"id": name, "prompt": f"What of {name}?", "responses": list(texts), **more}


def say(cast: Cast, name: str, answer: Answer, rationale: str = "", **preferences: int) -> taking.Shown:
    """`name` takes the next task and answers it; places of responses are those of the import, as it is shown."""
    annotator = annotator_for(cast.people[name], cast.project)
    desk = desk_of(cast.project, annotator)
    taken = assigning.next_for(project=cast.project, annotator=annotator)
    assert taken is not None
    held = taking.held(desk, taken.task_id)
    ids = sorted(response.id for response in held.responses)
    shown = [ids.index(response.id) for response in held.responses]
    given = Answer(
        critiques=[turned(one, shown) for one in answer.critiques],
        verdicts=[turned(one, shown) for one in answer.verdicts],
        ranks=[answer.ranks[place] for place in shown] if answer.ranks else (),
        units=answer.units,
    )
    judgements = [
        annotating.Judgement(axis, -value if held.order == "ba" else value) for axis, value in preferences.items()
    ]
    annotating.submit(
        desk=desk,
        task_id=held.task_id,
        judgements=judgements,
        rationale=rationale,
        more=given,
        commit=annotating.Commit(f"{name}{held.task_id}"),
    )
    return held


def turned(said: Any, shown: Sequence[int]) -> Any:
    """The same in shown order, its evidence too."""
    proof = said.evidence
    if proof and "response" in proof:
        proof = {**proof, "response": shown.index(proof["response"])}
    return replace(said, response=shown.index(said.response), evidence=proof)


def poor(start: int | None, end: int | None, **more: Any) -> Said:
    return Said(**{"start": start, "end": end, "type": "wrong", "severity": "minor", "polarity": -1, **more})


def yes(question: str = "correct", **more: Any) -> Judged:
    return Judged(question, more.pop("answer", True), **more)


def frozen(project: Project, target: str, name: str = "critiques", **options: Any) -> DatasetVersion:
    version = freezing.request_version(project=project, dataset_name=name, target=target, **options)
    running.execute(str(version.run_id))
    version.refresh_from_db()
    assert version.run is not None
    assert version.state == "ready", version.run.error
    return version


def lines(version: DatasetVersion, stem: str = "train") -> list[dict[str, Any]]:
    rows = [orjson.loads(line) for line in (version.folder / f"{stem}.jsonl").read_bytes().splitlines()]
    assert pq.read_metadata(version.folder / f"{stem}.parquet").num_rows == len(rows)
    return rows


def responses(cast: Cast, *rows: Any, **protocol: Any) -> Project:
    """A project in which single responses are judged."""
    project = ask(cast.project, TaskKind.RESPONSE, **protocol)
    land(project, *rows)
    return project
