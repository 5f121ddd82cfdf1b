"""Datasets, their versions and files, and the raw answers behind them."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields
from curation.api.auth import caller
from curation.api.idempotency import idempotent
from curation.api.pages import CURSOR, LIMITED, page
from curation.api.rendering import JsonRenderer
from curation.api.runs import shown as shown_run
from curation.api.shapes import RunShape
from curation.api.streaming import streamed, wants_stream
from curation.downloads import KINDS, OTHER, download
from curation.errors import NotFound
from curation.models import Annotation, Dataset, DatasetFile, DatasetVersion, Project
from curation.services import deciding, exporting, freezing, starting
from curation.services.freezing import changed, tracing
from workers.writers import Target


class Rows(serializers.Serializer):
    results = serializers.ListField(child=serializers.DictField())
    next = fields.Text(allow_null=True)


class TargetShape(serializers.Serializer):
    name = fields.Text()
    title = fields.Text()
    about = fields.Text(help_text="decided, critiqued or compared")
    columns = serializers.ListField(child=fields.Text())
    filters = serializers.ListField(child=fields.Text(), help_text="those that mean something to it")


class DatasetRows(Rows):
    targets = TargetShape(many=True, help_text="what a version of this project can be made for")


class NewVersion(serializers.Serializer):
    target = fields.Text(default="trl-preference", max_length=40)
    filters = fields.Json(default=dict, help_text="what is selected, by name; docs/exporting.md lists them")
    splits = fields.Json(required=False)
    split_by = serializers.ChoiceField(
        choices=DatasetVersion.SplitBy.choices, default="prompt", help_text="what stays together in one split"
    )
    seed = fields.Whole(default=0, min_value=0, max_value=2**31 - 1)


class FileShape(serializers.Serializer):
    name = fields.Text()
    split = fields.Text()
    rows = fields.Whole()
    bytes = fields.Whole()
    sha256 = fields.Text()
    url = fields.Text()


class VersionShape(serializers.Serializer):
    dataset = fields.Text()
    number = fields.Whole()
    state = fields.Text()
    target = fields.Text()
    filters = fields.Json()
    splits = fields.Json()
    seed = fields.Whole()
    hash = fields.Text()
    counts = fields.Json()
    card = fields.Text()
    lineage = fields.Json()
    split_by = fields.Text(help_text="what stays together in one split")
    facts = fields.Json(help_text="annotators, agreement, sources and licences behind it")
    checks = serializers.ListField(child=serializers.DictField(), help_text="what each consumer said of its files")
    verified = fields.Json(help_text="when it was last checked or made anew, and how it went")
    pushed = fields.Json(help_text="where it was pushed, by place: repository, commit and moment")
    changed_items = fields.Whole(
        allow_null=True, help_text="its items that changed since; null of one made before that was followed"
    )
    files = FileShape(many=True)
    wholes = FileShape(many=True, help_text="splits and companions that are cut into shards, each also as one file")
    run = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()


class AnyNegotiation(BaseContentNegotiation):
    """JSON whatever is accepted; streams look at the header themselves."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], "application/json"


class Streamable(APIView):
    renderer_classes = [JsonRenderer]
    content_negotiation_class = AnyNegotiation


class AnnotationsView(Streamable):
    """Raw annotations of everybody, by cursor, or all as NDJSON."""

    @extend_schema(operation_id="list_annotations", parameters=[CURSOR, LIMITED], responses=Rows)
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        project = access.project_for(request.user, slug, access.READ)
        rows = (
            Annotation.objects.filter(project=project)
            .select_related("annotator", "task", "protocol")
            .prefetch_related("preferences")
        )
        if wants_stream(request):
            everything = rows.order_by("pk").iterator(chunk_size=1000)
            return streamed(map(annotation, everything), project, "annotations")
        return page(request, rows, annotation)


class DatasetsView(APIView):
    """The datasets of a project, and the targets that fit it."""

    @extend_schema(operation_id="list_datasets", parameters=[CURSOR, LIMITED], responses=DatasetRows)
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.READ)
        rows = Dataset.objects.filter(project=project)
        reply = page(request, rows, lambda d: {"name": d.name, "versions": d.last_number, "created_at": d.created_at})
        reply.data["targets"] = [target_shown(target, project) for target in freezing.offered(project)]
        return reply


class VersionsView(APIView):
    """The versions of a dataset; POST makes the next one."""

    @extend_schema(operation_id="list_versions", parameters=[CURSOR, LIMITED], responses=Rows)
    def get(self, request: Request, slug: str, name: str) -> Reply:
        project = access.project_for(request.user, slug, access.READ)
        dataset = Dataset.objects.filter(project=project, name=name).first()
        if dataset is None:
            raise NotFound("no such dataset")
        rows = DatasetVersion.objects.filter(dataset=dataset).select_related("dataset").prefetch_related("files")
        return page(request, rows, lambda version: shown(version, slug))

    @extend_schema(operation_id="make_version", request=NewVersion, responses={202: RunShape})
    @idempotent
    def post(self, request: Request, slug: str, name: str) -> Reply:
        project = access.project_for(request.user, slug, access.FREEZE)
        body = NewVersion(data=request.data)
        body.is_valid(raise_exception=True)
        version = freezing.request_version(
            project=project, dataset_name=name, user=caller(request), **body.validated_data
        )
        assert version.run is not None
        return Reply(shown_run(version.run), status=202)


class VersionView(APIView):
    """One version: card, counts, lineage, hash, files."""

    @extend_schema(operation_id="get_version", responses=VersionShape)
    def get(self, request: Request, slug: str, name: str, number: int) -> Reply:
        return Reply(shown(version_for(request, slug, name, number), slug))


class FileView(Streamable):
    """A file of a version; Range, ETag and HEAD as download tools expect."""

    @extend_schema(
        operation_id="get_file",
        responses={(status, kind): OpenApiTypes.BINARY for status in (200, 206) for kind in (*KINDS.values(), OTHER)},
    )
    def get(self, request: Request, slug: str, name: str, number: int, filename: str) -> HttpResponseBase:
        version = version_for(request, slug, name, number)
        return download(request, version, filename)


class TraceShape(serializers.Serializer):
    row = fields.Json()
    lineage = serializers.ListField(child=serializers.DictField())
    item = fields.Json(allow_null=True)
    minutes = fields.Real(
        allow_null=True, help_text="of all looks that led to the annotations behind it; null: none were measured"
    )
    annotations = serializers.ListField(child=serializers.DictField())
    suggestions = serializers.ListField(child=serializers.DictField(), help_text="what models said of the same task")
    changes = serializers.ListField(child=serializers.DictField(), help_text="what became of the item since")


class RowView(APIView):
    """One row of a version, traced back to the annotations behind it, whose they are and how long they took."""

    @extend_schema(operation_id="trace_row", responses=TraceShape)
    def get(self, request: Request, slug: str, name: str, number: int, split: str, row: int) -> Reply:
        return Reply(tracing.told(tracing.trace(version_for(request, slug, name, number), split, row)))


class VerifyView(APIView):
    """Read its files against their digests, and make it again from the database: is it still the same?"""

    @extend_schema(operation_id="verify_version", request=None, responses={202: RunShape})
    @idempotent
    def post(self, request: Request, slug: str, name: str, number: int) -> Reply:
        version = version_for(request, slug, name, number)
        project = access.project_for(request.user, slug, access.FREEZE)
        params = {"dataset": name, "number": version.number}
        run = starting.start(project=project, method="verify", params=params, user=caller(request))
        return Reply(shown_run(run), status=202)


class Pushing(serializers.Serializer):
    repo = fields.Text(max_length=200, help_text="the repository, as namespace/name; it is made if it is not there")
    endpoint = fields.Text(
        required=False, default="", allow_blank=True, max_length=200, help_text="a Hub that is allowed here"
    )
    private = fields.Flag(required=False, default=True)
    branch = fields.Text(required=False, default="main", max_length=100)
    tag = fields.Text(required=False, default="", allow_blank=True, max_length=100, help_text="empty: v and the number")
    companions = fields.Flag(required=False, default=False, help_text="raw answers, critiques and lineage too")
    names = fields.Flag(required=False, default=False, help_text="annotators under their own names, not pseudonyms")


class PushView(APIView):
    """Push a version to a Hub: the run's result has the commit's address."""

    @extend_schema(operation_id="push_version", request=Pushing, responses={202: RunShape})
    @idempotent
    def post(self, request: Request, slug: str, name: str, number: int) -> Reply:
        version = version_for(request, slug, name, number)
        project = access.project_for(request.user, slug, access.FREEZE)
        body = Pushing(data=request.data)
        body.is_valid(raise_exception=True)
        params = {"dataset": name, "number": version.number, **body.validated_data}
        run = starting.start(project=project, method="push", params=params, user=caller(request))
        return Reply(shown_run(run), status=202)


class Comparison(serializers.Serializer):
    other = fields.Whole(min_value=1, max_value=2**31 - 1, help_text="the version that it is compared with")
    dataset = fields.Text(
        required=False, default="", allow_blank=True, max_length=40, help_text="its dataset, if another"
    )


class CompareView(APIView):
    """Hold a version against another: the run's result counts what came, went and changed, from the version of the
    address to `other`, so that `added` is what only `other` has."""

    @extend_schema(operation_id="compare_versions", request=Comparison, responses={202: RunShape})
    @idempotent
    def post(self, request: Request, slug: str, name: str, number: int) -> Reply:
        version = version_for(request, slug, name, number)
        project = access.project_for(request.user, slug, access.FREEZE)
        body = Comparison(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        params = {"dataset": name, "number": version.number, "other": given["other"], "other_dataset": given["dataset"]}
        return Reply(
            shown_run(starting.start(project=project, method="compare", params=params, user=caller(request))),
            status=202,
        )


def version_for(request: Request, slug: str, name: str, number: int) -> DatasetVersion:
    project = access.project_for(request.user, slug, access.READ)
    found = exporting.find_version(project, name, number)
    if found is None:
        raise NotFound("no such version")
    return found


def annotation(row: Annotation) -> dict[str, Any]:
    """One event as it is stored; values in the order of the pair."""
    return {
        "id": row.pk,
        "event": row.event,
        "task": row.task_id,
        "pair": row.task.pair_id,
        "response": row.task.response_id,
        "annotator": {"kind": row.annotator.kind, "name": row.annotator.name},
        "protocol": row.protocol.version,
        "source": row.source,
        "shown_order": row.order or None,
        "active_ms": row.active_ms,
        "rationale": row.rationale,
        "reason": row.reason,
        "counted": row.counted,
        "supersedes": row.supersedes_id,
        "created_at": row.created_at,
        "preferences": [
            {"axis": p.axis, "value": p.value, "both_bad": p.both_bad, "probability": p.probability}
            for p in row.preferences.all()
        ],
    }


def target_shown(target: Target, project: Project) -> dict[str, Any]:
    return {
        "name": target.name,
        "title": target.title,
        "about": target.source,
        "columns": list(target.columns),
        "filters": list(deciding.applicable(target.source, project.kind)),
    }


def shown(version: DatasetVersion, slug: str) -> dict[str, Any]:
    """A version as the API tells it, with the address of each file."""
    name, number = version.dataset.name, version.number

    def url(filename: str) -> str:
        return reverse("api-file", kwargs={"slug": slug, "name": name, "number": number, "filename": filename})

    def told(file: DatasetFile) -> dict[str, Any]:
        facts = {name: getattr(file, name) for name in ("name", "split", "rows", "bytes", "sha256")}
        return {**facts, "url": url(file.name)}

    files, wholes = map(told, version.files.all()), map(told, exporting.wholes_of(version))
    fields = (
        "number",
        "state",
        "target",
        "filters",
        "splits",
        "seed",
        "hash",
        "counts",
        "card",
        "lineage",
        "split_by",
        "facts",
        "checks",
        "verified",
        "pushed",
        "created_at",
    )
    since = None if changed.followed(version) is None else version.changed_items
    return {
        "dataset": name,
        **{f: getattr(version, f) for f in fields},
        "changed_items": since,
        "files": list(files),
        "wholes": list(wholes),
        "run": version.run_id,
    }
