"""Serializers: what requests may hold and what answers look like. They validate and never save."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from curation.errors import Invalid
from curation.models import Protocol, Role
from curation.services.answering import Answer, Judged, Said


class AxisShape(serializers.Serializer):
    name = serializers.SlugField(max_length=40)
    question = serializers.CharField(max_length=300)


class ProtocolShape(serializers.Serializer):
    version = serializers.IntegerField(read_only=True)
    guidelines = serializers.CharField(required=False, allow_blank=True, max_length=50_000, trim_whitespace=False)
    axes = AxisShape(many=True, required=False)
    strengths = serializers.IntegerField(required=False, min_value=1, max_value=3)
    allow_tie = serializers.BooleanField(required=False)
    allow_both_bad = serializers.BooleanField(required=False)
    rationale = serializers.ChoiceField(choices=Protocol.Rationale.choices, required=False)
    unit = serializers.ChoiceField(choices=Protocol.Unit.choices, required=False)
    critiques = serializers.JSONField(required=False, help_text="types, severities, polarities, and what they carry")
    questions = serializers.JSONField(required=False, help_text="asked of each response, or of each unit of it")
    help = serializers.JSONField(required=False, help_text="mode (off, shown, reveal) and holdout, a share")


class ProjectShape(serializers.Serializer):
    slug = serializers.SlugField()
    kind = serializers.CharField(help_text="what one task is: preference, response or ranking")
    name = serializers.CharField()
    description = serializers.CharField()
    overlap = serializers.IntegerField()
    items = serializers.IntegerField(source="item_count")
    tasks = serializers.IntegerField(source="task_count")
    protocol = ProtocolShape()
    created_at = serializers.DateTimeField()


class NewProject(serializers.Serializer):
    slug = serializers.SlugField(max_length=80)
    name = serializers.CharField(max_length=160)
    description = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    preset = serializers.CharField(required=False, default="pairwise", max_length=40)


class ProjectChange(serializers.Serializer):
    name = serializers.CharField(required=False, max_length=160)
    description = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    overlap = serializers.IntegerField(required=False, min_value=1, max_value=50)


class MessageShape(serializers.Serializer):
    role = serializers.CharField()
    content = serializers.CharField()


class ShownResponse(serializers.Serializer):
    text = serializers.CharField()
    messages = MessageShape(many=True)
    units = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        required=False,
        help_text="of its sentences or steps, where these are judged",
    )


class TaskShape(serializers.Serializer):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    prompt = MessageShape(many=True)
    responses = ShownResponse(many=True, help_text="in shown order; negative values prefer the first")
    axes = AxisShape(many=True)
    strengths = serializers.IntegerField()
    expires_at = serializers.DateTimeField()
    context = serializers.JSONField(required=False)  # type: ignore[assignment]
    unit = serializers.CharField(required=False)
    critiques = serializers.JSONField(required=False)
    questions = serializers.JSONField(required=False)
    help = serializers.JSONField(required=False)
    suggestions = serializers.JSONField(required=False, help_text="what models say of it, where help is shown")


class NextQuery(serializers.Serializer):
    exclude = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), required=False, max_length=50
    )


class ProgressShape(serializers.Serializer):
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    skipped = serializers.IntegerField()
    left = serializers.IntegerField()


class NextTask(serializers.Serializer):
    task = TaskShape()
    progress = ProgressShape()


class JudgementShape(serializers.Serializer):
    axis = serializers.CharField(max_length=40)
    value = serializers.IntegerField(required=False, allow_null=True, min_value=-3, max_value=3)
    both_bad = serializers.BooleanField(required=False, default=False)


class CritiqueShape(serializers.Serializer):
    """Offsets are half-open, in code points of the response's text. Without them the whole response is meant."""

    response = serializers.IntegerField(required=False, default=0, help_text="its place as shown, from 0")
    message = serializers.IntegerField(required=False, default=0)
    start = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0, max_value=2**31 - 1)
    end = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0, max_value=2**31 - 1)
    quote = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, default=None, trim_whitespace=False
    )
    unit = serializers.ChoiceField(choices=Protocol.Unit.choices, required=False, default="span")
    type = serializers.CharField(required=False, allow_blank=True, default="", max_length=60)
    severity = serializers.CharField(required=False, allow_blank=True, default="", max_length=60)
    polarity = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=-1, max_value=1)
    comment = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=20_000, trim_whitespace=False
    )
    edit = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, default=None, max_length=20_000, trim_whitespace=False
    )
    omission = serializers.BooleanField(required=False, default=False)
    evidence = serializers.DictField(required=False, allow_null=True, default=None)


class ReviewedCritique(CritiqueShape):
    derived_from = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=2**63 - 1, help_text="a suggestion"
    )
    rejected = serializers.BooleanField(required=False, default=False)
    review_ms = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0)


class VerdictShape(serializers.Serializer):
    question = serializers.CharField(max_length=60)
    answer = serializers.JSONField(help_text="true or false, a number, a label, a list of labels, or words")
    response = serializers.IntegerField(required=False, default=0, help_text="its place as shown, from 0")
    comment = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=20_000, trim_whitespace=False
    )
    start = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0, max_value=2**31 - 1)
    end = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0, max_value=2**31 - 1)
    evidence = serializers.DictField(required=False, allow_null=True, default=None)


class ReviewedVerdict(VerdictShape):
    derived_from = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=2**63 - 1, help_text="a suggestion"
    )
    review_ms = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0)


SPANS = serializers.ListField(
    child=serializers.ListField(child=serializers.IntegerField(min_value=0), min_length=2, max_length=2)
)


class Submission(serializers.Serializer):
    """Which parts are needed says the project's protocol."""

    preferences = JudgementShape(many=True, required=False, default=list)
    critiques = ReviewedCritique(many=True, required=False, default=list)
    verdicts = ReviewedVerdict(many=True, required=False, default=list)
    ranks = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=100),
        help_text="a place for each response",
        required=False,
        default=list,
        max_length=100,
    )
    units = serializers.DictField(
        child=SPANS, required=False, default=dict, help_text="boundaries mended by hand, by response"
    )
    rationale = serializers.CharField(required=False, allow_blank=True, max_length=20_000, trim_whitespace=False)
    active_ms = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=86_400_000)


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
    reason = serializers.CharField(required=False, allow_blank=True, max_length=300)
    active_ms = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=86_400_000)


class AnnotationRef(serializers.Serializer):
    id = serializers.IntegerField()
    event = serializers.CharField()
    task = serializers.IntegerField(source="task_id")


class Committed(serializers.Serializer):
    annotation = AnnotationRef()
    progress = ProgressShape()


class ShardCounts(serializers.Serializer):
    total = serializers.IntegerField(source="shards_total")
    done = serializers.IntegerField(source="shards_done")
    failed = serializers.IntegerField(source="shards_failed", help_text="set aside after their last attempt")


class RunCost(serializers.Serializer):
    cpu_seconds = serializers.FloatField()
    gpu_seconds = serializers.FloatField()
    tokens = serializers.IntegerField(help_text="read by models")
    tokens_out = serializers.IntegerField(help_text="written by models")


class PaceShape(serializers.Serializer):
    done = serializers.IntegerField(help_text="units of finished shards and of those at work")
    percent = serializers.IntegerField(allow_null=True)
    working = serializers.IntegerField(help_text="shards at work")
    rate = serializers.FloatField(source="lately", allow_null=True, help_text="units a second in the last minute")
    rate_overall = serializers.FloatField(source="overall", allow_null=True)
    tokens_rate = serializers.FloatField(source="tokens", allow_null=True)
    seconds_left = serializers.FloatField(source="left", allow_null=True)


class RunShape(serializers.Serializer):
    id = serializers.UUIDField()
    project = serializers.SlugField(source="project.slug", allow_null=True, default=None)
    method = serializers.CharField()
    params = serializers.JSONField()
    model = serializers.CharField(allow_null=True)
    state = serializers.CharField()
    phase = serializers.CharField(help_text="of runs with shards: plan, work or close")
    queue = serializers.CharField()
    seed = serializers.IntegerField()
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    unit = serializers.CharField()
    percent = serializers.IntegerField(allow_null=True)
    shards = ShardCounts(source="*")
    cost = RunCost(source="*")
    result = serializers.JSONField()
    error = serializers.CharField()
    attempts = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class WatchedRun(RunShape):
    pace = PaceShape()


class NewRun(serializers.Serializer):
    method = serializers.CharField(max_length=60)
    params = serializers.DictField(required=False)
    queue = serializers.ChoiceField(choices=["", "cpu", "gpu"], required=False, default="")
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, required=False, default=0)


class ShardShape(serializers.Serializer):
    number = serializers.IntegerField()
    state = serializers.CharField()
    spec = serializers.JSONField(help_text="which rows, in the words of the method")
    size = serializers.IntegerField()
    done = serializers.IntegerField()
    attempts = serializers.IntegerField()
    device = serializers.CharField()
    seconds = serializers.FloatField()
    tokens = serializers.IntegerField()
    tokens_out = serializers.IntegerField()
    result = serializers.JSONField()
    error = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class ShardPage(serializers.Serializer):
    results = ShardShape(many=True)
    next = serializers.CharField(allow_null=True)


class MethodShape(serializers.Serializer):
    name = serializers.CharField()
    title = serializers.CharField()
    about = serializers.CharField()
    unit = serializers.CharField()
    params = serializers.JSONField(help_text="JSON schema of what `params` may hold")


class RunLog(serializers.Serializer):
    log = serializers.CharField()


class MemberShape(serializers.Serializer):
    username = serializers.CharField(source="user.username")
    display_name = serializers.CharField(source="user.display_name")
    role = serializers.ChoiceField(choices=Role.choices)


class Problem(serializers.Serializer):
    """application/problem+json (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = serializers.ListField(child=serializers.DictField(), required=False)  # type: ignore[assignment]
