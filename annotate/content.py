"""What a task's screen shows and knows: rendered texts, and, where more than a preference is asked, their sources."""

from __future__ import annotations

from typing import Any

import orjson

from curation.models import Annotation, TaskKind
from curation.rendering import conversation, markdown, pictures_of
from curation.services import drafting, reviewed, suggesting
from curation.services.answering import texts_of, units_in
from curation.services.desk import Desk
from curation.services.evidence import document_text
from curation.services.plans import attributing
from curation.services.taking import Shown, ShownResponse

SEEN = (Annotation.Help.SHOWN, Annotation.Help.REVEALED)
HEADINGS = {TaskKind.RESPONSE: "Judge this response", TaskKind.RANKING: "Rank these responses, best first"}
UNSAID = "Which response is better?"
"""The question of a protocol in which nobody has written another."""


def protocol_for_screen(desk: Desk) -> str:
    """What is asked, as JSON for the script of the screen."""
    scale = desk.scale
    asked = scale.asked.model_dump(mode="json")
    return orjson.dumps({"kind": scale.kind, "axes": scale.axes, "strengths": scale.strengths, **asked}).decode()


def content(desk: Desk, task: Shown, *, answered: bool) -> dict[str, Any]:
    """The texts of a task as its template needs them."""
    turns = orjson.loads(task.prompt)
    found: dict[str, Any] = {
        "system": conversation([turn for turn in turns if turn.get("role") == "system"]),
        "prompt": conversation([turn for turn in turns if turn.get("role") != "system"]),
        "responses": [conversation(messages_of(response)) for response in task.responses],
        "question": heading(desk, TaskKind(task.kind)),
    }
    if task.kind == TaskKind.PREFERENCE:
        found["about"] = attributing.for_annotators(task.task_id)
    if '"images"' in task.context:
        found["pictures"] = pictures_of(orjson.loads(task.context).get("images"))
    if desk.scale.plain:
        return found
    given = orjson.loads(task.context).get("documents") or []
    documents = [
        {"title": document.get("title", "") if isinstance(document, dict) else "", "text": document_text(document)}
        for document in given
    ]
    found["documents"] = [document | {"html": markdown(document["text"])} for document in documents]
    asked = desk.scale.asked
    found["margin"] = asked.critiques.on or bool(asked.questions) or asked.help.mode != "off"
    found["work"] = orjson.dumps(work(desk, task, documents, answered=answered)).decode()
    return found


def heading(desk: Desk, kind: TaskKind) -> str:
    """What is asked above the responses."""
    question: str = desk.scale.axes[0]["question"]
    return question if kind == TaskKind.PREFERENCE or question != UNSAID else HEADINGS[kind]


def messages_of(response: ShownResponse) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        orjson.loads(response.messages) if response.messages else [{"role": "assistant", "content": response.text}]
    )
    return found


def work(desk: Desk, task: Shown, documents: list[dict[str, str]], *, answered: bool) -> dict[str, Any]:
    """Sources, boundaries, suggestions and the draft of a task, for the script."""
    unit = desk.scale.asked.unit
    by_unit = unit in ("sentence", "step")
    help = suggesting.help_on(desk, task.task_id, answered=answered)
    return {
        "responses": [
            {"texts": texts_of(response), "units": units_in(response, unit) if by_unit else []}
            for response in task.responses
        ],
        "documents": [document["text"] for document in documents],
        "help": help,
        "suggestions": suggesting.for_screen(desk, task) if help in SEEN else [],
        "draft": drafting.of(annotator_id=desk.annotator_id, task_id=task.task_id),
    }


def why_here(desk: Desk, task: Shown) -> dict[str, Any]:
    """What stands above a task that a review put into these hands, and the answer to go on from."""
    assert task.review_id is not None
    why = reviewed.told(task.review_id, desk.annotator_id)
    found: dict[str, Any] = {"why": why}
    if why.annotation is not None:
        said = what_was_said(desk, why.annotation, task)
        found |= {
            "answer": orjson.dumps(said).decode(),
            "before": in_words(said),
            "rationale_before": said["rationale"],
        }
    return found


def in_words(said: dict[str, Any]) -> list[str]:
    """Preferences and ranks of an answer, by the numbers of the responses as shown."""
    words = []
    for one in said["preferences"]:
        axis = f"{one['axis']}: " if len(said["preferences"]) > 1 else ""
        if one["both_bad"] or one["value"] is None:
            words.append(f"{axis}both bad")
        elif one["value"] == 0:
            words.append(f"{axis}a tie")
        else:
            steps = ("", "better", "much better", "very much better")[abs(one["value"])]
            words.append(f"{axis}response {1 if one['value'] < 0 else 2} {steps}")
    if said["ranks"]:
        words.append(f"ranks {', '.join(map(str, said['ranks']))}")
    return words


def what_was_said(desk: Desk, annotation: Annotation, task: Shown) -> dict[str, Any]:
    """An own answer, as the screen takes it up again."""
    [said] = suggesting.told(desk, task, [annotation], own=True)
    return said
