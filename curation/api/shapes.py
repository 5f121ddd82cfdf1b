"""Serializers: what requests may hold and what answers look like. They validate and never save."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from curation.api import fields
from curation.errors import Invalid
from curation.models import Protocol, Role
from curation.services.answering import Answer, Judged, Said


class AxisShape(serializers.Serializer):
    name = fields.Slug(max_length=40)
    question = fields.Text(max_length=300)


class ProtocolShape(serializers.Serializer):
    version = fields.Whole(read_only=True)
    guidelines = fields.Text(required=False, allow_blank=True, max_length=50_000, trim_whitespace=False)
    axes = AxisShape(many=True, required=False)
    strengths = fields.Whole(required=False, min_value=1, max_value=3)
    allow_tie = fields.Flag(required=False)
    allow_both_bad = fields.Flag(required=False)
    rationale = serializers.ChoiceField(choices=Protocol.Rationale.choices, required=False)
    unit = serializers.ChoiceField(choices=Protocol.Unit.choices, required=False)
    critiques = fields.Json(required=False, help_text="types, severities, polarities, and what they carry")
    questions = fields.Json(required=False, help_text="asked of each response, or of each unit of it")
    help = fields.Json(required=False, help_text="mode (off, shown, reveal) and holdout, a share")


class ProjectShape(serializers.Serializer):
    slug = fields.Slug()
    kind = fields.Text(help_text="what one task is: preference, response or ranking")
    name = fields.Text()
    description = fields.Text()
    overlap = fields.Whole()
    cap = fields.Whole(allow_null=True, help_text="most answers while a task is undecided; null: the overlap")
    certainty = fields.Real(help_text="how likely the likeliest label must be for a task to count as decided")
    paused = fields.Flag(help_text="whether the project's own queue rests")
    review_levels = fields.Whole(help_text="how many people look at an answer again: 0, 1 or 2")
    review_share = fields.Real(help_text="of the answers that are looked at again")
    repeat_percent = fields.Whole(help_text="behind so many of 100 tasks a person gets an earlier one, sides swapped")
    repeat_after = fields.Whole(help_text="at least so many answers lie between the two")
    two_factor = fields.Flag(help_text="whether managers and owners need two-factor sign-in")
    items = fields.Whole(source="item_count")
    tasks = fields.Whole(source="task_count")
    protocol = ProtocolShape()
    created_at = serializers.DateTimeField()


class NewProject(serializers.Serializer):
    slug = fields.Slug(max_length=80)
    name = fields.Text(max_length=160)
    description = fields.Text(required=False, allow_blank=True, max_length=10_000)
    preset = fields.Text(required=False, default="pairwise", max_length=40)


class ProjectChange(serializers.Serializer):
    name = fields.Text(required=False, max_length=160)
    description = fields.Text(required=False, allow_blank=True, max_length=10_000)
    overlap = fields.Whole(required=False, min_value=1, max_value=50)
    cap = fields.Whole(required=False, allow_null=True, min_value=1, max_value=50)
    certainty = fields.Real(required=False, min_value=0.5, max_value=0.999)
    paused = fields.Flag(required=False)
    review_levels = fields.Whole(required=False, min_value=0, max_value=2)
    review_share = fields.Real(required=False, min_value=0, max_value=1)
    repeat_percent = fields.Whole(required=False, min_value=0, max_value=20)
    repeat_after = fields.Whole(required=False, min_value=1, max_value=1000)
    two_factor = fields.Flag(required=False, help_text="owners only, and only with two-factor of their own")


class MessageShape(serializers.Serializer):
    role = fields.Text()
    content = fields.Text()


class ShownResponse(serializers.Serializer):
    text = fields.Text()
    messages = MessageShape(many=True)
    units = serializers.ListField(
        child=serializers.ListField(child=fields.Whole()),
        required=False,
        help_text="of its sentences or steps, where these are judged",
    )


class TaskShape(serializers.Serializer):
    id = fields.Whole()
    kind = fields.Text()
    prompt = MessageShape(many=True)
    responses = ShownResponse(many=True, help_text="in shown order; negative values prefer the first")
    axes = AxisShape(many=True)
    strengths = fields.Whole()
    expires_at = serializers.DateTimeField()
    training = fields.Flag(required=False, help_text="true: what is right is told at /tasks/{id}/lesson afterwards")
    context = fields.Json(required=False)  # type: ignore[assignment]
    unit = fields.Text(required=False)
    critiques = fields.Json(required=False)
    questions = fields.Json(required=False)
    help = fields.Json(required=False)
    suggestions = fields.Json(required=False, help_text="what models say of it, where help is shown")
    returned = fields.Json(required=False, help_text="why a review put it into these hands: words and reason")


class NextQuery(serializers.Serializer):
    exclude = serializers.ListField(child=fields.Whole(min_value=1, max_value=2**63 - 1), required=False, max_length=50)


class ProgressShape(serializers.Serializer):
    done = fields.Whole()
    total = fields.Whole()
    skipped = fields.Whole()
    left = fields.Whole()
    queue = fields.Text(help_text="the queue that the numbers are of; empty: the project's own")


class NextTask(serializers.Serializer):
    task = TaskShape()
    progress = ProgressShape()


class JudgementShape(serializers.Serializer):
    axis = fields.Text(max_length=40)
    value = fields.Whole(required=False, allow_null=True, min_value=-3, max_value=3)
    both_bad = fields.Flag(required=False, default=False)


class CritiqueShape(serializers.Serializer):
    """Offsets are half-open, in code points of the response's text. Without them the whole response is meant."""

    response = fields.Whole(required=False, default=0, help_text="its place as shown, from 0")
    message = fields.Whole(required=False, default=0)
    start = fields.Whole(required=False, allow_null=True, default=None, min_value=0, max_value=2**31 - 1)
    end = fields.Whole(required=False, allow_null=True, default=None, min_value=0, max_value=2**31 - 1)
    quote = fields.Text(required=False, allow_null=True, allow_blank=True, default=None, trim_whitespace=False)
    unit = serializers.ChoiceField(choices=Protocol.Unit.choices, required=False, default="span")
    type = fields.Text(required=False, allow_blank=True, default="", max_length=60)
    severity = fields.Text(required=False, allow_blank=True, default="", max_length=60)
    polarity = fields.Whole(required=False, allow_null=True, default=None, min_value=-1, max_value=1)
    comment = fields.Text(required=False, allow_blank=True, default="", max_length=20_000, trim_whitespace=False)
    edit = fields.Text(
        required=False, allow_null=True, allow_blank=True, default=None, max_length=20_000, trim_whitespace=False
    )
    omission = fields.Flag(required=False, default=False)
    evidence = serializers.DictField(required=False, allow_null=True, default=None)


class ReviewedCritique(CritiqueShape):
    derived_from = fields.Whole(
        required=False, allow_null=True, default=None, min_value=1, max_value=2**63 - 1, help_text="a suggestion"
    )
    rejected = fields.Flag(required=False, default=False)
    review_ms = fields.Whole(required=False, allow_null=True, default=None, min_value=0)


class VerdictShape(serializers.Serializer):
    question = fields.Text(max_length=60)
    answer = fields.Json(help_text="true or false, a number, a label, a list of labels, or words")
    response = fields.Whole(required=False, default=0, help_text="its place as shown, from 0")
    comment = fields.Text(required=False, allow_blank=True, default="", max_length=20_000, trim_whitespace=False)
    start = fields.Whole(required=False, allow_null=True, default=None, min_value=0, max_value=2**31 - 1)
    end = fields.Whole(required=False, allow_null=True, default=None, min_value=0, max_value=2**31 - 1)
    evidence = serializers.DictField(required=False, allow_null=True, default=None)


class ReviewedVerdict(VerdictShape):
    derived_from = fields.Whole(
        required=False, allow_null=True, default=None, min_value=1, max_value=2**63 - 1, help_text="a suggestion"
    )
    review_ms = fields.Whole(required=False, allow_null=True, default=None, min_value=0)


SPANS = serializers.ListField(child=serializers.ListField(child=fields.Whole(min_value=0), min_length=2, max_length=2))


class Submission(serializers.Serializer):
    """Which parts are needed says the project's protocol."""

    preferences = JudgementShape(many=True, required=False, default=list)
    critiques = ReviewedCritique(many=True, required=False, default=list)
    verdicts = ReviewedVerdict(many=True, required=False, default=list)
    ranks = serializers.ListField(
        child=fields.Whole(min_value=1, max_value=100),
        help_text="a place for each response",
        required=False,
        default=list,
        max_length=100,
    )
    units = serializers.DictField(
        child=SPANS, required=False, default=dict, help_text="boundaries mended by hand, by response"
    )
    rationale = fields.Text(required=False, allow_blank=True, max_length=20_000, trim_whitespace=False)
    active_ms = fields.Whole(required=False, allow_null=True, min_value=0, max_value=86_400_000)


def excluded(data: Any) -> list[int]:
    """The task ids of a request for the next task; the usual bodies are checked without a serializer."""
    if data == {}:
        return []
    query = NextQuery(data=data)
    query.is_valid(raise_exception=True)
    return list(query.validated_data.get("exclude", ()))


def submission(data: Any) -> dict[str, Any]:
    """A checked submission."""
    body = Submission(data=data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


def answer(body: dict[str, Any]) -> Answer:
    """What a checked submission says besides preferences."""
    if not (body["critiques"] or body["verdicts"] or body["ranks"]):
        return Answer()
    try:
        units = {int(place): [(start, end) for start, end in spans] for place, spans in body["units"].items()}
    except ValueError:
        raise Invalid("are named by the places of the responses", field="units") from None
    return Answer(
        critiques=[Said(**said) for said in body["critiques"]],
        verdicts=[Judged(**judged) for judged in body["verdicts"]],
        ranks=body["ranks"],
        units=units,
    )


class SkipShape(serializers.Serializer):
    reason = fields.Text(required=False, allow_blank=True, max_length=300)
    active_ms = fields.Whole(required=False, allow_null=True, min_value=0, max_value=86_400_000)


class AnnotationRef(serializers.Serializer):
    id = fields.Whole()
    event = fields.Text()
    task = fields.Whole(source="task_id")


class Committed(serializers.Serializer):
    annotation = AnnotationRef()
    progress = ProgressShape()


class ShardCounts(serializers.Serializer):
    total = fields.Whole(source="shards_total")
    done = fields.Whole(source="shards_done")
    failed = fields.Whole(source="shards_failed", help_text="set aside after their last attempt")


class RunCost(serializers.Serializer):
    cpu_seconds = fields.Real()
    gpu_seconds = fields.Real()
    tokens = fields.Whole(help_text="read by models")
    tokens_out = fields.Whole(help_text="written by models")


class PaceShape(serializers.Serializer):
    done = fields.Whole(help_text="units of finished shards and of those at work")
    percent = fields.Whole(allow_null=True)
    working = fields.Whole(help_text="shards at work")
    rate = fields.Real(source="lately", allow_null=True, help_text="units a second in the last minute")
    rate_overall = fields.Real(source="overall", allow_null=True)
    tokens_rate = fields.Real(source="tokens", allow_null=True)
    seconds_left = fields.Real(source="left", allow_null=True)


class RunShape(serializers.Serializer):
    id = serializers.UUIDField()
    project = fields.Slug(source="project.slug", allow_null=True, default=None)
    method = fields.Text()
    params = fields.Json()
    model = fields.Text(allow_null=True)
    state = fields.Text()
    phase = fields.Text(help_text="of runs with shards: plan, work or close")
    queue = fields.Text()
    seed = fields.Whole()
    done = fields.Whole()
    total = fields.Whole(allow_null=True)
    unit = fields.Text()
    percent = fields.Whole(allow_null=True)
    shards = ShardCounts(source="*")
    cost = RunCost(source="*")
    result = fields.Json()
    error = fields.Text()
    attempts = fields.Whole()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class WatchedRun(RunShape):
    pace = PaceShape()


class NewRun(serializers.Serializer):
    method = fields.Text(max_length=60)
    params = serializers.DictField(required=False)
    queue = serializers.ChoiceField(choices=["", "cpu", "gpu"], required=False, default="")
    seed = fields.Whole(min_value=0, max_value=2**31 - 1, required=False, default=0)


class ShardShape(serializers.Serializer):
    number = fields.Whole()
    state = fields.Text()
    spec = fields.Json(help_text="which rows, in the words of the method")
    size = fields.Whole()
    done = fields.Whole()
    attempts = fields.Whole()
    device = fields.Text()
    seconds = fields.Real()
    tokens = fields.Whole()
    tokens_out = fields.Whole()
    result = fields.Json()
    error = fields.Text()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class ShardPage(serializers.Serializer):
    results = ShardShape(many=True)
    next = fields.Text(allow_null=True)


class PointShape(serializers.Serializer):
    step = fields.Whole()
    values = fields.Json(help_text="numbers by name")


class PointPage(serializers.Serializer):
    results = PointShape(many=True)
    next = fields.Text(allow_null=True)


class MethodShape(serializers.Serializer):
    name = fields.Text()
    title = fields.Text()
    about = fields.Text()
    unit = fields.Text()
    params = fields.Json(help_text="JSON schema of what `params` may hold")


class MethodRows(serializers.Serializer):
    results = MethodShape(many=True)
    next = fields.Text(allow_null=True)


class RunLog(serializers.Serializer):
    log = fields.Text()


class MemberChange(serializers.Serializer):
    active = fields.Flag(
        required=False,
    )


class MemberShape(serializers.Serializer):
    id = fields.Whole()
    username = fields.Text(source="user.username")
    display_name = fields.Text(source="user.display_name")
    role = serializers.ChoiceField(choices=Role.choices)
    active = fields.Flag(help_text="whether it lets them in; what they did stays either way")


class Problem(serializers.Serializer):
    """application/problem+json (RFC 9457)."""

    type = fields.Text()
    title = fields.Text()
    status = fields.Whole()
    detail = fields.Text()
    errors = serializers.ListField(child=serializers.DictField(), required=False)  # type: ignore[assignment]
