"""Serializers of models: what requests may hold and what answers look like."""

from __future__ import annotations

from rest_framework import serializers

from curation.api import fields
from curation.models import ModelVersion


class ModelShape(serializers.Serializer):
    id = fields.Whole()
    name = fields.Slug()
    number = fields.Whole()
    kind = serializers.ChoiceField(choices=ModelVersion.Kind.choices)
    reference = fields.Text()
    revision = fields.Text(help_text="the commit that is pinned, of a model on the Hub")
    fingerprint = fields.Text(help_text="SHA-256 over its files")
    config = fields.Json()
    trusted_code = fields.Flag()
    licence = fields.Text()
    facts = fields.Json(help_text="what the check found")
    state = serializers.ChoiceField(choices=ModelVersion.State.choices)
    problem = fields.Text()
    probe = fields.Json(help_text="validity of its token rewards, of implicit rewards")
    project = fields.Slug(source="project.slug", default=None, allow_null=True)
    made_by = serializers.UUIDField(source="made_by_id", allow_null=True, help_text="the run that trained it")
    created_at = serializers.DateTimeField()
    retired_at = serializers.DateTimeField(allow_null=True)


class ModelWithCard(ModelShape):
    card = fields.Text(help_text="its README, Markdown")


class ModelRows(serializers.Serializer):
    results = ModelShape(many=True)
    next = fields.Text(allow_null=True)


class NewModel(serializers.Serializer):
    name = fields.Text(max_length=100)
    kind = serializers.ChoiceField(choices=ModelVersion.Kind.choices)
    reference = fields.Text(max_length=500, help_text="hf:…, openai:…#…, run:…, builtin:…, program:…")
    revision = fields.Text(max_length=100, required=False, allow_blank=True)
    config = serializers.DictField(required=False)
    project = fields.Slug(required=False, allow_null=True, help_text="whose members alone see it")
    trust = fields.Text(
        max_length=100,
        required=False,
        allow_blank=True,
        help_text="the name again, by which an administrator lets the model's own code run",
    )


class Trial(serializers.Serializer):
    prompt = fields.Text(max_length=20_000, allow_blank=True, trim_whitespace=False)
    responses = serializers.ListField(
        child=fields.Text(max_length=20_000, trim_whitespace=False), min_length=1, max_length=2
    )
