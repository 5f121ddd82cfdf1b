"""Reviews over the API: what waits, the next one, and what becomes of an answer."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields, shapes
from curation.api.auth import caller
from curation.api.pages import page
from curation.errors import Invalid
from curation.models import Review
from curation.services import reviews
from curation.services.annotating import Judgement

OUTCOMES = [value or "waiting" for value in Review.Outcome.values]
OUTCOME = OpenApiParameter("outcome", str, enum=OUTCOMES, description="waiting: not yet reviewed")
VERBS = ["accepted", "fixed", "returned", "reassigned"]


class ReviewShape(serializers.Serializer):
    id = fields.Whole()
    annotation = fields.Whole(source="annotation_id")
    task = fields.Whole(source="annotation.task_id")
    annotator = fields.Whole(source="annotator_id")
    level = fields.Whole()
    why = fields.Text(help_text="sample, audit (of a bulk acceptance), second or asked")
    outcome = fields.Text(help_text="empty while it waits")
    reason = fields.Text()
    reviewer = fields.Text(source="reviewer.username", default="")
    fix = fields.Whole(source="fix_id", allow_null=True, help_text="the answer that stands in its place")
    created_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)


class AskedReview(serializers.Serializer):
    annotation = fields.Whole(min_value=1, max_value=2**63 - 1)


class DecidedReview(serializers.Serializer):
    outcome = serializers.ChoiceField(choices=VERBS)
    reason = fields.Text(required=False, allow_blank=True, max_length=1000, default="")
    to = fields.Whole(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=2**63 - 1,
        help_text="an annotator; empty: whoever is next",
    )
    answer = shapes.Submission(
        required=False, help_text="of a fix; a negative value prefers the pair's first response as stored"
    )


def shown(review: Review) -> dict[str, Any]:
    return dict(ReviewShape(review).data)


class ReviewsView(APIView):
    """What was drawn for review, or asked for."""

    @extend_schema(operation_id="list_reviews", parameters=[OUTCOME], responses=ReviewShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.REVIEW)
        rows = Review.objects.filter(project=project).select_related("annotation", "reviewer")
        if (outcome := request.query_params.get("outcome")) is not None:
            if outcome not in OUTCOMES:
                raise Invalid(f"must be one of: {', '.join(OUTCOMES)}", field="outcome")
            rows = rows.filter(outcome="" if outcome == "waiting" else outcome)
        return page(request, rows, shown)

    @extend_schema(operation_id="ask_review", request=AskedReview, responses={201: ReviewShape})
    def post(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.REVIEW)
        body = AskedReview(data=request.data)
        body.is_valid(raise_exception=True)
        return Reply(shown(reviews.ask(project, body.validated_data["annotation"])), status=201)


class NextReviewView(APIView):
    """The next answer for this reviewer, who has it alone for a quarter of an hour."""

    @extend_schema(operation_id="next_review", request=None, responses={200: ReviewShape, 204: None})
    def post(self, request: Request, slug: str) -> HttpResponse:
        project = access.project_for(request.user, slug, access.REVIEW)
        found = reviews.next_for(project, caller(request))
        return Reply(shown(found)) if found else HttpResponse(status=204)


class ReviewView(APIView):
    """One review; POST says what becomes of the answer."""

    @extend_schema(operation_id="get_review", responses=ReviewShape)
    def get(self, request: Request, slug: str, review_id: int) -> Reply:
        return Reply(shown(reviews.find(access.project_for(request.user, slug, access.REVIEW), review_id)))

    @extend_schema(
        operation_id="decide_review", request=DecidedReview, responses={200: ReviewShape, 409: shapes.Problem}
    )
    def post(self, request: Request, slug: str, review_id: int) -> Reply:
        review, by = reviews.find(access.project_for(request.user, slug, access.REVIEW), review_id), caller(request)
        body = DecidedReview(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        match given["outcome"]:
            case "accepted":
                done = reviews.accept(review, by, given["reason"])
            case "returned":
                done = reviews.give_back(review, by, given["reason"])
            case "reassigned":
                done = reviews.reassign(review, by, given["reason"], given.get("to"))
            case _:
                done = fixed(review, request, given)
        return Reply(shown(done))


def fixed(review: Review, request: Request, given: dict[str, Any]) -> Review:
    if "answer" not in given:
        raise Invalid("a fix needs the answer that is right", field="answer")
    body = given["answer"]
    return reviews.fix(
        review,
        caller(request),
        [Judgement(j["axis"], j.get("value"), j["both_bad"]) for j in body.get("preferences", ())],
        rationale=body.get("rationale", ""),
        more=shapes.answer(body),
        active_ms=body.get("active_ms"),
    )
