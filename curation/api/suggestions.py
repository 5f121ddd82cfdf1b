"""Suggestions of models and programs over the API: outside critics speak here, under a name of their own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields
from curation.api.idempotency import idempotent
from curation.api.problems import flat
from curation.api.shapes import CritiqueShape, JudgementShape, VerdictShape
from curation.services import suggestions
from curation.services.answering import Answer, Judged, Said
from curation.services.suggestions import Leaning, Suggestion

MOST = 1000


class CriticShape(serializers.Serializer):
    name = fields.Text(max_length=200)
    kind = serializers.ChoiceField(choices=("model", "program"))
    version = fields.Text(required=False, allow_blank=True, default="", max_length=100)


class LeaningShape(JudgementShape):
    probability = fields.Real(
        required=False, allow_null=True, default=None, min_value=0, max_value=1, help_text="P(the second is better)"
    )


class SuggestionShape(serializers.Serializer):
    """Named by `task`, or by `item` and the places of its responses; without anything said, it was looked at."""

    task = fields.Whole(required=False, allow_null=True, default=None, min_value=1, max_value=2**63 - 1)
    item = fields.Text(required=False, allow_blank=True, default="", help_text="its external id")
    response = fields.Whole(
        required=False, allow_null=True, default=None, help_text="its place in the item, where one response is judged"
    )
    responses = serializers.ListField(
        child=fields.Whole(),
        required=False,
        default=list,
        max_length=2,
        help_text="the places of the two that are compared; values below prefer the first of them",
    )
    score = fields.Real(required=False, allow_null=True, default=None, help_text="how sure the critic is")
    rationale = fields.Text(required=False, allow_blank=True, default="", max_length=20_000, trim_whitespace=False)
    preferences = LeaningShape(many=True, required=False, default=list)
    critiques = CritiqueShape(many=True, required=False, default=list)
    verdicts = VerdictShape(many=True, required=False, default=list)
    ranks = serializers.ListField(
        child=fields.Whole(min_value=1, max_value=100), required=False, default=list, max_length=100
    )


class SuggestionsShape(serializers.Serializer):
    annotator = CriticShape()
    suggestions = serializers.ListField(child=fields.Json(), max_length=MOST, help_text="each a Suggestion")


class SuggestionsDoc(serializers.Serializer):
    """As the schema tells it: entries are checked one by one, so that good ones land beside bad ones."""

    annotator = CriticShape()
    suggestions = SuggestionShape(many=True)


class RefusedShape(serializers.Serializer):
    index = fields.Whole()
    field = fields.Text()
    reason = fields.Text()


class PlacedShape(serializers.Serializer):
    index = fields.Whole()
    field = fields.Text()
    how = serializers.ChoiceField(choices=("fuzzy", "ambiguous"))
    places = fields.Whole(help_text="in how many places the quote may stand; the first is taken")
    score = fields.Real(help_text="how much of the quote is there, up to 1")
    start = fields.Whole()
    end = fields.Whole()
    quote = fields.Text(help_text="what stands there")


class LandedShape(serializers.Serializer):
    created = fields.Whole()
    replaced = fields.Whole()
    unchanged = fields.Whole()
    rejected = RefusedShape(many=True)
    placed = PlacedShape(many=True)


class SuggestionsView(APIView):
    """Up to 1 000 suggestions of one critic. Good ones land, bad ones come back with the reason."""

    parser_classes = [JSONParser]

    @extend_schema(operation_id="suggest", request=SuggestionsDoc, responses=LandedShape)
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.FEED)
        body = SuggestionsShape(data=request.data)
        body.is_valid(raise_exception=True)
        given: list[tuple[int, Suggestion]] = []
        refused = []
        for index, entry in enumerate(body.validated_data["suggestions"]):
            shape = SuggestionShape(data=entry)
            if wrong := unfit(entry, shape):
                refused.append({"index": index, "field": wrong[0], "reason": wrong[1]})
            else:
                given.append((index, suggestion(shape.validated_data)))
        landed = suggestions.suggest(project=project, given=given, **body.validated_data["annotator"])
        landed.rejected = sorted([*landed.rejected, *refused], key=lambda one: one["index"])
        return Reply(asdict(landed))


PARTS = {"preferences": LeaningShape, "critiques": CritiqueShape, "verdicts": VerdictShape}
KNOWN = {name: frozenset(part().fields) for name, part in {"": SuggestionShape, **PARTS}.items()}


def unfit(entry: Any, shape: SuggestionShape) -> tuple[str, str] | None:
    """The first field at fault and why. A misspelt one is a fault: it would else be lost without a word."""
    if unknown := strange(entry):
        return unknown, "there is no such field"
    if not storable(entry):
        return "", "holds a NUL or half a character, which cannot be stored"
    if shape.is_valid():
        return None
    first = next(flat(shape.errors))
    return first["field"].removeprefix("non_field_errors"), first["detail"]


def strange(entry: Any) -> str:
    """The first field that a suggestion cannot have."""
    if not isinstance(entry, dict):
        return ""
    for name, value in entry.items():
        if name not in KNOWN[""]:
            return str(name)
        for n, part in enumerate(value if name in PARTS and isinstance(value, list) else ()):
            if isinstance(part, dict) and (unknown := set(part) - KNOWN[name]):
                return f"{name}.{n}.{min(unknown)}"
    return ""


def storable(value: Any) -> bool:
    """Whether no text in it holds what a database does not take."""
    if isinstance(value, dict):
        return all(storable(name) and storable(inner) for name, inner in value.items())
    if isinstance(value, list):
        return all(map(storable, value))
    return not isinstance(value, str) or not any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in value)


def suggestion(data: dict[str, Any]) -> Suggestion:
    one = data["response"]
    return Suggestion(
        task=data["task"],
        item=data["item"],
        responses=data["responses"] if one is None else [one, *data["responses"]],
        score=data["score"],
        rationale=data["rationale"],
        preferences=[Leaning(**said) for said in data["preferences"]],
        answer=Answer(
            critiques=[Said(**said) for said in data["critiques"]],
            verdicts=[Judged(**judged) for judged in data["verdicts"]],
            ranks=data["ranks"],
        ),
    )
