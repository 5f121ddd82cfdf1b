"""Agreement over the API: every figure of a project, and the items behind them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields
from curation.api.critiques import who
from curation.api.pages import LIMITED, MOST, cursor_of, number
from curation.errors import Invalid, NotFound
from curation.models import Annotator, Project
from curation.services.concord import disputes, keeping, matrix, showing
from curation.services.concord.figuring import Label, Measure, Told, as_dict, labels_of
from curation.services.concord.showing import Question, Shown

PATIENCE = 2.0
"""Seconds for which a call brings the sums further."""
LABEL = OpenApiParameter("label", str, description="axis|overall, question|correct, spans, type|omission or ranking")
UNITS = [
    OpenApiParameter("who", str, enum=["people", "all"], description="whose answers; all: of models too"),
    OpenApiParameter("field", str, description="what items are told apart by: source, or metadata. and a key"),
    OpenApiParameter("slice", str, description="the value of `field`; all unless given"),
    OpenApiParameter("first", str, description="a day of the first week"),
    OpenApiParameter("last", str, description="a day of the last week"),
]
KIND = OpenApiParameter("kind", str, enum=Annotator.Kind.values, description="of the matrix' annotators")
NAME = OpenApiParameter("name", str, description="a part of the names of the matrix' annotators")
SIZE = OpenApiParameter(
    "most", {"type": "integer", "minimum": 2, "maximum": matrix.MOST}, description="annotators in the matrix"
)
BETWEEN = [
    OpenApiParameter("a", {"type": "integer", "minimum": 1}, description="an annotator's id"),
    OpenApiParameter("b", {"type": "integer", "minimum": 1}, description="the other one's"),
]


class FigureShape(serializers.Serializer):
    value = fields.Real(allow_null=True, help_text="null where it is undefined")
    low = fields.Real(allow_null=True, help_text="of the 95 % interval")
    high = fields.Real(allow_null=True)
    n = fields.Whole(help_text="units")
    why = fields.Text(help_text="why it is undefined")


class MeasureShape(serializers.Serializer):
    name = fields.Text(help_text="alpha_ordinal, alpha_nominal, percent, ac1, f1_type, w, …")
    title = fields.Text()
    figure = FigureShape()


class LabelShape(serializers.Serializer):
    key = fields.Text(help_text="what `label` of the query takes")
    title = fields.Text()
    units = fields.Whole(help_text="with two answers or more")
    dominant = fields.Text(allow_null=True, help_text="a value that is most of the answers")
    dominant_share = fields.Real(allow_null=True)
    measures = MeasureShape(many=True)


class PartShape(serializers.Serializer):
    key = fields.Text(help_text="the Monday of a week, or the value of the field")
    units = fields.Whole()
    measures = MeasureShape(many=True)


class ComparedShape(serializers.Serializer):
    id = fields.Whole()
    kind = fields.Text()
    name = fields.Text()
    compared = fields.Whole(help_text="comparisons with everybody, those outside of the matrix too")


class CellShape(serializers.Serializer):
    a = fields.Whole()
    b = fields.Whole()
    n = fields.Whole(help_text="units that both answered")
    agreed = FigureShape(help_text="the share of equal answers; of spans soft F1 by place")
    beyond = FigureShape(help_text="Cohen's kappa; of rankings tau-b, of spans soft F1 by place and type")


class AgreementShape(serializers.Serializer):
    """Figures of a project; while `complete` is false only how far the sums are: ask again."""

    complete = fields.Flag()
    done = fields.Real(help_text="the share of the answers that is counted")
    labels = LabelShape(many=True)
    chosen = fields.Text(allow_null=True, help_text="the key of the label that the rest is of")
    weeks = PartShape(many=True)
    slices = PartShape(many=True, help_text="by the values of `field`")
    annotators = ComparedShape(many=True)
    matrix = CellShape(many=True, help_text="each two annotators once, over all weeks")


class AgreementView(APIView):
    """How far people and models agree: each label, and one of them by week, slice and annotator."""

    @extend_schema(operation_id="get_agreement", parameters=[LABEL, *UNITS, KIND, NAME, SIZE], responses=AgreementShape)
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.READ)
        found = showing.shown(project, asked(request), PATIENCE)
        return Reply(told(found))


class DisputeAnswer(serializers.Serializer):
    annotator = fields.Text()
    said = fields.Text()


class DisputeShape(serializers.Serializer):
    item = fields.Text(help_text="its external id")
    item_id = fields.Whole()
    task = fields.Whole()
    answers = DisputeAnswer(many=True)
    others = fields.Whole(help_text="annotators that are not told of")


class Disputes(serializers.Serializer):
    results = DisputeShape(many=True)
    next = fields.Text(allow_null=True)


class DisputesView(APIView):
    """Items on which annotators differ, the latest first; a page may be short, or empty, and still not be the last."""

    @extend_schema(
        operation_id="disputed_items",
        parameters=[LABEL, *UNITS, *BETWEEN, cursor_of("^[0-9]{0,18}$"), LIMITED],
        responses=Disputes,
    )
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.READ)
        question = asked(request)
        limit = max(1, number(request, "limit", disputes.SHOWN, most=MOST))
        before = number(request, "cursor", 0)
        one, other = (annotator(project, request, name) for name in ("a", "b"))
        if other and not one:
            raise Invalid("must go with a", field="b")
        kept = keeping.kept_up(project, question.field, PATIENCE)
        labels = labels_of(project, kept.state)
        if not labels:
            return Reply({"results": [], "next": None})
        label = showing.chosen(labels, question.label)
        wanted = disputes.Wanted(label, question.choice, question.field, one, other)
        page = disputes.page(project, wanted, before, limit)
        rows = [
            {
                "item": one.item.external_id,
                "item_id": one.item.pk,
                "task": one.task,
                "answers": [{"annotator": name, "said": said} for name, said in one.answers],
                "others": one.others,
            }
            for one in page.disputes
        ]
        return Reply({"results": rows, "next": str(page.next) if page.next else None})


def asked(request: Request) -> Question:
    return showing.question(request.query_params.dict())


def annotator(project: Project, request: Request, name: str) -> int:
    if name not in request.query_params:
        return 0
    pk = number(request, name, 0)
    if not Annotator.objects.filter(project=project, pk=pk).exists():
        raise NotFound("no such annotator")
    return pk


def told(found: Shown) -> dict[str, Any]:
    grid = found.matrix
    people, totals = (grid.annotators, grid.totals) if grid else ([], {})
    cells = [(both, cell) for both, cell in grid.cells.items() if both[0] < both[1]] if grid else []
    return {
        "complete": found.kept.complete,
        "done": found.kept.done,
        "labels": [in_full(label, one) for label, one in found.labels],
        "chosen": found.label.key if found.label else None,
        "weeks": [part(key, one) for key, one in found.weeks.items()],
        "slices": [part(key, one) for key, one in found.slices.items()],
        "annotators": [{"id": one.pk, **who(one), "compared": totals.get(one.pk, 0)} for one in people],
        "matrix": [
            {"a": a, "b": b, "n": one.n, "agreed": as_dict(one.agreed), "beyond": as_dict(one.beyond)}
            for (a, b), one in cells
        ],
    }


def in_full(label: Label, one: Told) -> dict[str, Any]:
    value, share = one.dominant or (None, None)
    return {
        "key": label.key,
        "title": label.title,
        "units": one.units,
        "dominant": value,
        "dominant_share": share,
        "measures": [measure(each) for each in one.measures],
    }


def part(key: str, one: Told) -> dict[str, Any]:
    return {"key": key, "units": one.units, "measures": [measure(each) for each in one.measures]}


def measure(one: Measure) -> dict[str, Any]:
    return {"name": one.name, "title": one.title, "figure": as_dict(one.figure)}
