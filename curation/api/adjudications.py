"""Adjudication over the API: what is disputed, what of a task can be decided, and the decision."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields
from curation.api.auth import caller
from curation.api.pages import CURSOR, LIMITED, number, page
from curation.api.tasks import KEY
from curation.errors import NotFound
from curation.models import Adjudication, GuidelineCase, Task
from curation.services.adjudicating import cases, deciding, finding
from curation.services.adjudicating.elements import Element


class DisputedShape(serializers.Serializer):
    task = fields.Whole(source="task.pk")
    distance = fields.Real(help_text="0 to 1: how far the answers are apart, the mean over all pairs of them")
    people = fields.Whole()
    machines = fields.Whole()


class DisputedRows(serializers.Serializer):
    results = DisputedShape(many=True)
    next = fields.Text(allow_null=True)


class OptionShape(serializers.Serializer):
    key = fields.Text(help_text="what a decision names")
    words = fields.Text()
    value = serializers.JSONField()
    people = serializers.ListField(child=fields.Text())
    machines = serializers.ListField(child=fields.Text())
    comment = fields.Text(help_text="words that a mark or an answer brings along")
    edit = fields.Text(allow_null=True, help_text="of a mark: what should stand there instead")


class ElementShape(serializers.Serializer):
    place = fields.Text(help_text="what a decision names it by")
    kind = fields.Text(help_text="axis, ranking, question or span")
    title = fields.Text()
    disputed = fields.Flag()
    proposal = fields.Text(help_text="the key of what most said; empty where no option has most")
    response = fields.Whole(allow_null=True)
    message = fields.Whole()
    start = fields.Whole(allow_null=True)
    end = fields.Whole(allow_null=True)
    in_words = fields.Flag(help_text="whether it is a question that is answered in words")
    options = OptionShape(many=True)


class AdjudicationShape(serializers.Serializer):
    annotation = fields.Whole(source="annotation_id")
    by = fields.Text(source="made_by.username")
    sources = serializers.ListField(child=fields.Whole(), help_text="the answers that it was made between")
    created_at = serializers.DateTimeField()


class AdjudicableShape(serializers.Serializer):
    task = fields.Whole()
    elements = ElementShape(many=True)
    adjudication = AdjudicationShape(allow_null=True)


class DecisionShape(serializers.Serializer):
    choices = serializers.DictField(
        child=fields.Text(), help_text="of each disputed element its place and the key of the chosen option"
    )
    bounds = serializers.DictField(
        child=serializers.ListField(child=fields.Whole(min_value=0, max_value=2**31 - 1), min_length=2, max_length=2),
        required=False,
        help_text="of a place whose chosen option marks a span: another start and end",
    )
    edits = serializers.DictField(
        child=serializers.DictField(),
        required=False,
        help_text="of a place whose option is kept with other labels or words: of a mark type, severity, polarity, "
        "comment and edit; of an answer its comment, and answer where it is given in words",
    )
    reason = fields.Text(required=False, allow_blank=True, max_length=2_000)


class CaseShape(serializers.Serializer):
    id = fields.Whole()
    task = fields.Whole(source="adjudication.annotation.task_id")
    annotation = fields.Whole(source="adjudication.annotation_id")
    words = fields.Text()
    by = fields.Text(source="made_by.username")
    created_at = serializers.DateTimeField()


class CaseRows(serializers.Serializer):
    results = CaseShape(many=True)
    next = fields.Text(allow_null=True)


def shown(case: GuidelineCase) -> dict[str, Any]:
    return dict(CaseShape(case).data)


class DisputedView(APIView):
    """Tasks on which answers differ and that nobody decided since: a window of tasks, those that differ most first.

    A page may be short, or empty, and still not be the last.
    """

    @extend_schema(operation_id="list_disputed", parameters=[CURSOR], responses=DisputedRows)
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(caller(request), slug, access.REVIEW)
        found = finding.disputed(project, after=number(request, "cursor", 0))
        following = None if found.next is None else str(found.next)
        return Reply({"results": DisputedShape(found.tasks, many=True).data, "next": following})


class AdjudicationView(APIView):
    """What of a task can be decided; POST decides, DELETE takes the decision back."""

    def task(self, request: Request, task_id: int) -> Task:
        found = Task.objects.select_related("project__protocol", "pair", "response", "item")
        task = found.filter(pk=task_id, project__deleted_at=None).first() if task_id < 2**63 else None
        if task is None or access.SEE not in access.capabilities(caller(request), task.project):
            raise NotFound("no such task")
        access.allow(caller(request), task.project, access.REVIEW)
        return task

    def told(self, task: Task) -> dict[str, Any]:
        _, found = deciding.elements(task.project, task)
        last = deciding.standing(task)
        return {
            "task": task.pk,
            "elements": [element_of(one) for one in found],
            "adjudication": AdjudicationShape(last).data if last else None,
        }

    @extend_schema(operation_id="get_adjudication", responses=AdjudicableShape)
    def get(self, request: Request, task_id: int) -> Reply:
        return Reply(self.told(self.task(request, task_id)))

    @extend_schema(
        operation_id="adjudicate", parameters=[KEY], request=DecisionShape, responses={200: AdjudicationShape}
    )
    def post(self, request: Request, task_id: int) -> Reply:
        task = self.task(request, task_id)
        body = DecisionShape(data=request.data)
        body.is_valid(raise_exception=True)
        said = body.validated_data
        made: Adjudication = deciding.adjudicate(
            project=task.project, task=task, user=caller(request), choices=said["choices"], bounds=said.get("bounds"),
            edits=said.get("edits"), reason=said.get("reason", ""), key=request.headers.get("Idempotency-Key", ""),
        )  # fmt: skip
        return Reply(AdjudicationShape(made).data)

    @extend_schema(operation_id="take_adjudication_back", responses={204: None})
    def delete(self, request: Request, task_id: int) -> Reply:
        deciding.take_back(task=self.task(request, task_id), user=caller(request))
        return Reply(status=204)


INTERNAL = ("source", "rewritten")


def element_of(element: Element) -> dict[str, Any]:
    told = {name: value for name, value in asdict(element).items() if name != "options"}
    options = [{name: value for name, value in asdict(one).items() if name not in INTERNAL} for one in element.options]
    return told | {"options": options}


class CasesView(APIView):
    """The decided cases that the guidelines quote."""

    @extend_schema(operation_id="list_cases", parameters=[CURSOR, LIMITED], responses=CaseRows)
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(caller(request), slug, access.SEE)
        return page(request, cases.of(project), shown)
