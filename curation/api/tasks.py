"""An annotator's calls: the next task, answers, skips, undos."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import shapes
from curation.api.auth import caller
from curation.errors import NotFound
from curation.models import Annotation, Annotator, ApiToken, Task, User
from curation.models.repeats import REPEATED
from curation.services import annotating, assigning, crowd, reviewed, suggesting
from curation.services.answering import units_in
from curation.services.desk import Desk, ProgressNow, desk_at, desk_in, desk_of
from curation.services.gold import telling
from curation.services.repeating import keeping
from curation.services.taking import Shown, ShownResponse

KEY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, required=True, description="chosen by the client"
)
KIND = OpenApiParameter("kind", str, OpenApiParameter.QUERY, enum=Task.Kind.values)


class NextView(APIView):
    """Reserve the next task for the caller."""

    @extend_schema(
        operation_id="next_task",
        parameters=[KIND],
        request=shapes.NextQuery,
        responses={200: shapes.NextTask, 204: None},
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        desk = desk_in(caller(request), slug)
        exclude = shapes.excluded(request.data)
        kind = request.query_params.get("kind", "")
        found = assigning.next_shown(desk=desk, kind=kind, exclude=exclude)
        if found is None:
            return HttpResponse(status=204)
        return Reply({"task": shown(found, desk), "progress": progress(request, desk.progress)})


class SubmitView(APIView):
    """Commit the answer to a task in the caller's hands. Values are in the order shown."""

    @extend_schema(
        operation_id="submit_task",
        parameters=[KEY],
        request=shapes.Submission,
        responses={200: shapes.Committed, 409: shapes.Problem},
    )
    def post(self, request: Request, task_id: int) -> Reply:
        desk = desk_at(caller(request), task_id)
        body = shapes.submission(request.data)
        made = annotating.submit(
            desk=desk,
            task_id=task_id,
            judgements=[annotating.Judgement(j["axis"], j.get("value"), j["both_bad"]) for j in body["preferences"]],
            rationale=body.get("rationale", ""),
            more=shapes.answer(body),
            commit=commit(request, body),
        )
        return committed(request, made)


class SkipView(APIView):
    """Set a task aside with a reason."""

    @extend_schema(
        operation_id="skip_task",
        parameters=[KEY],
        request=shapes.SkipShape,
        responses={200: shapes.Committed},
    )
    def post(self, request: Request, task_id: int) -> Reply:
        desk = desk_at(caller(request), task_id)
        body = shapes.SkipShape(data=request.data)
        body.is_valid(raise_exception=True)
        reason = body.validated_data.get("reason", "")
        given = commit(request, body.validated_data)
        return committed(request, annotating.skip(desk=desk, task_id=task_id, reason=reason, commit=given))


class ReleaseView(APIView):
    """Give a reserved task back to the queue."""

    @extend_schema(operation_id="release_task", request=None, responses={204: None})
    def post(self, request: Request, task_id: int) -> HttpResponse:
        desk = desk_at(caller(request), task_id)
        assigning.release(annotator_id=desk.annotator_id, task_id=task_id)
        return HttpResponse(status=204)


class UndoView(APIView):
    """Take back the caller's latest annotation of a task; the task is in the caller's hands again."""

    @extend_schema(operation_id="undo_annotation", parameters=[KEY], request=None, responses={200: shapes.Committed})
    def post(self, request: Request, annotation_id: int) -> Reply:
        annotator = whose(caller(request), annotation_id)
        access.allow(request.user, annotator.project, access.ANNOTATE)
        desk = desk_of(annotator.project, annotator)
        undone = annotating.undo(desk=desk, annotation_id=annotation_id, commit=commit(request, {}))
        return committed(request, undone)


def whose(user: User, annotation_id: int) -> Annotator:
    """The annotator of the caller's own annotation. Raises NotFound for anybody else's."""
    if annotation_id >= REPEATED:
        return keeping.whose(user, annotation_id)
    found = Annotation.objects.select_related("annotator__project__protocol").filter(pk=annotation_id).first()
    if found is None or found.annotator.user_id != user.pk:
        raise NotFound("this annotation is not yours")
    return found.annotator


def commit(request: Request, data: dict[str, Any]) -> annotating.Commit:
    by_script = isinstance(request.auth, ApiToken)
    return annotating.Commit(
        key=request.headers.get("Idempotency-Key", ""),
        active_ms=data.get("active_ms"),
        source=Annotation.Source.API if by_script else Annotation.Source.WEB,
    )


def committed(request: Request, made: annotating.Committed) -> Reply:
    row = {"id": made.id, "event": made.event, "task": made.task_id}
    return Reply({"annotation": row, "progress": progress(request, made.progress)})


def progress(request: Request, now: ProgressNow) -> dict[str, int | str]:
    now = crowd.measured(request.user, now)
    told = {"done": now.done, "total": now.total, "skipped": now.skipped, "left": now.left}
    return told | {"queue": now.queue}


def shown(task: Shown, desk: Desk) -> dict[str, Any]:
    """A task as its annotator may see it: no model names, no ids of responses, nobody else's answers."""
    asked = desk.scale.asked
    more: dict[str, Any] = {}
    if not desk.scale.plain:
        more = {"context": orjson.Fragment(task.context), "unit": asked.unit, **asked.model_dump(mode="json")}
        helped = suggesting.help_on(desk, task.task_id, answered=False) == Annotation.Help.SHOWN
        more["suggestions"] = suggesting.for_screen(desk, task) if helped else []
    if task.review_id:
        why = reviewed.told(task.review_id, desk.annotator_id)
        more["returned"] = {"words": why.words, "reason": why.reason}
    return {
        "id": task.task_id,
        "kind": task.kind,
        "prompt": orjson.Fragment(task.prompt),
        "responses": [response(one, asked.unit) for one in task.responses],
        "axes": desk.scale.axes if task.kind == Task.Kind.PREFERENCE else [],
        "strengths": desk.scale.strengths,
        "expires_at": task.expires_at,
        **({"training": True} if telling.training_of(desk, task) else {}),
        **more,
    }


def response(one: ShownResponse, unit: str) -> dict[str, Any]:
    """A response with its texts; where sentences or steps are judged, with their boundaries."""
    messages = orjson.Fragment(one.messages) if one.messages else [{"role": "assistant", "content": one.text}]
    units = {"units": units_in(one, unit)} if unit in ("sentence", "step") else {}
    return {"text": one.text, "messages": messages, **units}
