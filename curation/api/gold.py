"""Gold over the API: made, corrected, taken back; the rules; how everybody does; and what an annotator may know."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields
from curation.api.auth import caller
from curation.api.etags import conditional, guarded, tagged
from curation.api.idempotency import idempotent
from curation.api.pages import page
from curation.errors import Invalid
from curation.models import Annotator, Gold, GoldResult, Progress, Project, Scope
from curation.services.desk import desk_at
from curation.services.gold import checking, marking, pooling, rules, telling
from curation.templatetags.chrome import who
from workers.gold import PARTS

STATE = OpenApiParameter("state", str, enum=["live", "suspect", "retired"])
ANNOTATOR = OpenApiParameter("annotator", str, description="its name")
EXPLANATION = 10_000


class GoldShape(serializers.Serializer):
    id = fields.Whole()
    task = fields.Whole(source="task_id")
    phase = serializers.ChoiceField(choices=Gold.Phase.choices)
    expected = fields.Json(help_text="preferences, verdicts, ranks and critiques that are right, in stored order")
    explanation = fields.Text(help_text="Markdown, shown with what is right")
    made_from = fields.Text()
    annotation = fields.Whole(source="annotation_id", allow_null=True)
    answered = fields.Whole()
    missed = fields.Whole()
    suspect_at = serializers.DateTimeField(allow_null=True, help_text="since when it is neither asked nor counted")
    suspicion = fields.Json(help_text="how many good annotators answered and missed it")
    retired_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class NewGold(serializers.Serializer):
    """A task with what is right, or with what is decided on it, or an answer to one."""

    task = fields.Whole(required=False, min_value=1, max_value=2**63 - 1)
    expected = fields.Json(required=False, help_text="without it, what most people said on the task")
    annotation = fields.Whole(required=False, min_value=1, max_value=2**63 - 1, help_text="instead of a task")
    parts = serializers.ListField(child=serializers.ChoiceField(choices=PARTS), required=False, default=list)
    phase = serializers.ChoiceField(choices=Gold.Phase.choices, required=False, default="hidden")
    explanation = fields.Text(required=False, allow_blank=True, default="", max_length=EXPLANATION)


class ChangedGold(serializers.Serializer):
    expected = fields.Json(required=False)
    explanation = fields.Text(required=False, allow_blank=True, max_length=EXPLANATION)
    suspect = fields.Flag(required=False, help_text="false: it was looked at, and is right")


class PoolShape(serializers.Serializer):
    most = fields.Whole(required=False, default=50, min_value=1, max_value=pooling.MOST)
    min_votes = fields.Whole(required=False, default=3, min_value=1, max_value=1000)
    min_confidence = fields.Real(required=False, default=0.8, min_value=0.51, max_value=1)
    parts = serializers.ListField(
        child=serializers.ChoiceField(choices=PARTS),
        required=False,
        default=list(PARTS),
        allow_empty=False,
        help_text="what is expected, where it is clear",
    )
    phase = serializers.ChoiceField(choices=Gold.Phase.choices, required=False, default="hidden")


class PooledShape(serializers.Serializer):
    made = serializers.ListField(child=fields.Whole(), help_text="ids of the new gold")


class RulesShape(serializers.Serializer):
    rate = fields.Whole(required=False, min_value=0, max_value=rules.HIGHEST_RATE, help_text="% of the tasks")
    pause_below = fields.Whole(required=False, min_value=0, max_value=100, help_text="% right; 0: nobody is paused")
    pause_after = fields.Whole(required=False, min_value=5, max_value=1000, help_text="gold answers before a pause")
    training = fields.Whole(required=False, min_value=0, max_value=100, help_text="tasks that are answered first")
    pass_share = fields.Whole(required=False, min_value=0, max_value=100, help_text="% of these that must be right")
    tries = fields.Whole(required=False, min_value=1, max_value=10, help_text="rounds before a pause")
    spans = fields.Whole(required=False, min_value=1, max_value=100, help_text="% overlap of marked text that is right")
    ranks = fields.Whole(required=False, min_value=1, max_value=100, help_text="% of pairs in order that is right")


class GoldShareShape(serializers.Serializer):
    count = fields.Whole()
    n = fields.Whole()
    share = fields.Real(allow_null=True)
    low = fields.Real(allow_null=True, help_text="of Wilson's 95 % interval")
    high = fields.Real(allow_null=True)


class StandingShape(serializers.Serializer):
    annotator = fields.Whole(help_text="its id")
    name = fields.Text()
    all = GoldShareShape(help_text="right on hidden gold that still counts")
    unseen = GoldShareShape(help_text="on what was not shown yet: what a pause goes by")
    training = fields.Text(help_text="over, not asked, not begun, or how far")
    paused_at = serializers.DateTimeField(allow_null=True)
    paused_reason = fields.Text()


class GoldResultShape(serializers.Serializer):
    id = fields.Whole()
    gold = fields.Whole(source="gold_id")
    task = fields.Whole(source="gold.task_id")
    annotator = fields.Text(source="annotator.name")
    annotation = fields.Whole(source="annotation_id")
    correct = fields.Flag()
    score = fields.Real()
    parts = fields.Json()
    revealed_at = serializers.DateTimeField(allow_null=True, help_text="when its annotator was shown what is right")
    objection = fields.Text()
    at = serializers.DateTimeField()


class LineShape(serializers.Serializer):
    about = fields.Text()
    words = fields.Text()


class LessonShape(serializers.Serializer):
    task = fields.Whole()
    correct = fields.Flag()
    score = fields.Real()
    said = LineShape(many=True)
    right = LineShape(many=True)
    explanation = fields.Text()
    objection = fields.Text()


class MineShape(serializers.Serializer):
    paused_at = serializers.DateTimeField(allow_null=True)
    paused_reason = fields.Text()
    training = fields.Text()
    shown = LessonShape(many=True, help_text="tasks of the training, and checks that a pause rests on")


def shown(gold: Gold) -> dict[str, Any]:
    return dict(GoldShape(gold).data)


class Managed(APIView):
    write_scope = Scope.MANAGE

    def project(self, request: Request, slug: str) -> Project:
        return access.project_for(request.user, slug, access.MANAGE)


class GoldsView(Managed):
    """The gold of a project."""

    @extend_schema(operation_id="list_gold", parameters=[STATE], responses=GoldShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        rows = Gold.objects.filter(project=self.project(request, slug))
        match request.query_params.get("state"):
            case "live":
                rows = rows.filter(retired_at=None, suspect_at=None)
            case "suspect":
                rows = rows.filter(retired_at=None, suspect_at__isnull=False)
            case "retired":
                rows = rows.filter(retired_at__isnull=False)
            case None:
                pass
            case _:
                raise Invalid("must be live, suspect or retired", field="state")
        return page(request, rows, shown)

    @extend_schema(operation_id="make_gold", request=NewGold, responses={201: GoldShape})
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        project = self.project(request, slug)
        body = NewGold(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        how = {"phase": given["phase"], "explanation": given["explanation"], "by": caller(request)}
        if ("task" in given) == ("annotation" in given):
            raise Invalid("name a task or an annotation", field="task")
        if "annotation" in given:
            parts = given["parts"] or PARTS
            made = marking.mark_from_answer(project=project, annotation_id=given["annotation"], parts=parts, **how)
        elif "expected" in given:
            made = marking.mark_by_hand(project=project, task_id=given["task"], expected=given["expected"], **how)
        else:
            made = marking.mark_decided(project=project, task_id=given["task"], **how)
        return Reply(shown(made), status=201)


class GoldView(Managed):
    """One gold task."""

    def found(self, request: Request, slug: str, gold_id: int) -> Gold:
        return marking.find(self.project(request, slug), gold_id)

    @extend_schema(operation_id="get_gold", responses=GoldShape)
    def get(self, request: Request, slug: str, gold_id: int) -> Reply:
        return conditional(request, shown(self.found(request, slug, gold_id)))

    def shown_now(self, request: Request, slug: str, gold_id: int) -> dict[str, Any]:
        found = self.found(request, slug, gold_id)
        return shown(Gold.objects.select_for_update(of=("self",)).get(pk=found.pk))

    @extend_schema(operation_id="change_gold", request=ChangedGold, responses=GoldShape)
    @guarded
    def patch(self, request: Request, slug: str, gold_id: int) -> Reply:
        gold = self.found(request, slug, gold_id)
        body = ChangedGold(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        if given.get("suspect"):
            raise Invalid("gold becomes suspect by its answers; here it can only be kept", field="suspect")
        if given.get("suspect") is False:
            marking.keep(golds=Gold.objects.filter(pk=gold.pk))
        if "expected" in given or "explanation" in given:
            marking.correct(gold=gold, expected=given.get("expected"), explanation=given.get("explanation"))
        return tagged(shown(self.found(request, slug, gold_id)))

    @extend_schema(operation_id="retire_gold", responses={204: None})
    @guarded
    def delete(self, request: Request, slug: str, gold_id: int) -> Reply:
        marking.retire(golds=Gold.objects.filter(pk=self.found(request, slug, gold_id).pk))
        return Reply(status=204)


class GoldPoolView(Managed):
    """Make gold of tasks on which enough people agree."""

    @extend_schema(operation_id="make_gold_from_decisions", request=PoolShape, responses={201: PooledShape})
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        project = self.project(request, slug)
        body = PoolShape(data=request.data)
        body.is_valid(raise_exception=True)
        made = pooling.make_from_decisions(project=project, by=caller(request), **body.validated_data)
        return Reply({"made": [gold.pk for gold in made]}, status=201)


class GoldRulesView(Managed):
    """How gold is asked, and what follows from it."""

    @extend_schema(operation_id="get_gold_rules", responses=RulesShape)
    def get(self, request: Request, slug: str) -> Reply:
        return conditional(request, rules.rules_of(self.project(request, slug)).model_dump())

    def shown_now(self, request: Request, slug: str) -> dict[str, Any]:
        project = self.project(request, slug)
        return rules.rules_of(Project.objects.select_for_update(of=("self",)).get(pk=project.pk)).model_dump()

    @extend_schema(operation_id="change_gold_rules", request=RulesShape, responses=RulesShape)
    @guarded
    def patch(self, request: Request, slug: str) -> Reply:
        project = self.project(request, slug)
        body = RulesShape(data=request.data)
        body.is_valid(raise_exception=True)
        return tagged(rules.change_rules(project=project, changes=body.validated_data).model_dump())


class GoldPeopleView(Managed):
    """How each annotator does on gold."""

    @extend_schema(operation_id="list_gold_standings", responses=StandingShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        project = self.project(request, slug)
        rows = Progress.objects.filter(project=project).select_related("annotator__user")
        return page(request, rows, lambda progress: standing(telling.standing(project, progress)))


def standing(one: telling.Standing) -> dict[str, Any]:
    annotator = one.annotator
    told = {
        "annotator": annotator.pk,
        "name": who(annotator),
        "all": one.all,
        "unseen": one.now,
        "training": one.training,
        "paused_at": annotator.paused_at,
        "paused_reason": annotator.paused_reason,
    }
    return dict(StandingShape(told).data)


class GoldResumeView(Managed):
    """Let a paused annotator go on."""

    @extend_schema(operation_id="resume_after_gold", request=None, responses=StandingShape)
    def post(self, request: Request, slug: str, annotator_id: int) -> Reply:
        project = self.project(request, slug)
        checking.resume(telling.standing_of(project, annotator_id).annotator)
        return Reply(standing(telling.standing_of(project, annotator_id)))


class GoldResultsView(Managed):
    """Every answer to gold, and how right it was."""

    @extend_schema(operation_id="list_gold_results", parameters=[ANNOTATOR], responses=GoldResultShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        rows = GoldResult.objects.filter(gold__project=self.project(request, slug)).select_related("gold", "annotator")
        if name := request.query_params.get("annotator", "").replace("\0", ""):
            rows = rows.filter(annotator__name=name)
        return page(request, rows, lambda one: dict(GoldResultShape(one).data))


class MyGoldView(APIView):
    """What the caller may know of the own training and checks."""

    @extend_schema(operation_id="get_my_gold", responses=MineShape)
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.ANNOTATE)
        mine = Progress.objects.filter(project=project, annotator__user=caller(request)).select_related("annotator")
        progress = mine.first()
        if progress is None:
            annotator = Annotator()
            return Reply(dict(MineShape(mine_of(annotator, "not begun", [])).data))
        told = telling.told(telling.shown_to(progress.annotator))
        words = telling.training_words(project, progress)
        return Reply(dict(MineShape(mine_of(progress.annotator, words, told)).data))


def mine_of(annotator: Annotator, training: str, told: list[telling.Told]) -> dict[str, Any]:
    return {
        "paused_at": annotator.paused_at,
        "paused_reason": annotator.paused_reason,
        "training": training,
        "shown": [lesson(one) for one in told],
    }


def lesson(one: telling.Told) -> dict[str, Any]:
    return {
        "task": one.gold.task_id,
        "correct": one.result.correct,
        "score": one.result.score,
        "said": [{"about": about, "words": words} for about, words in one.said],
        "right": [{"about": about, "words": words} for about, words in one.right],
        "explanation": one.gold.explanation,
        "objection": one.result.objection,
    }


class LessonView(APIView):
    """What was right on a task of the training, once the caller has answered it."""

    @extend_schema(operation_id="get_lesson", responses=LessonShape)
    def get(self, request: Request, task_id: int) -> Reply:
        desk = desk_at(caller(request), task_id)
        return Reply(dict(LessonShape(lesson(telling.lesson(desk.annotator_id, task_id))).data))
