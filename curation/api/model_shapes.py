"""Serializers of models: what requests may hold and what answers look like."""

from __future__ import annotations

from rest_framework import serializers

from curation.models import ModelVersion


class ModelShape(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.SlugField()
    number = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=ModelVersion.Kind.choices)
    reference = serializers.CharField()
    revision = serializers.CharField(help_text="the commit that is pinned, of a model on the Hub")
    fingerprint = serializers.CharField(help_text="SHA-256 over its files")
    config = serializers.JSONField()
    trusted_code = serializers.BooleanField()
    licence = serializers.CharField()
    facts = serializers.JSONField(help_text="what the check found")
    state = serializers.ChoiceField(choices=ModelVersion.State.choices)
    problem = serializers.CharField()
    probe = serializers.JSONField(help_text="validity of its token rewards, of implicit rewards")
    project = serializers.SlugField(source="project.slug", default=None, allow_null=True)
    made_by = serializers.UUIDField(source="made_by_id", allow_null=True, help_text="the run that trained it")
    created_at = serializers.DateTimeField()
    retired_at = serializers.DateTimeField(allow_null=True)


class ModelWithCard(ModelShape):
    card = serializers.CharField(help_text="its README, Markdown")


class ModelRows(serializers.Serializer):
    results = ModelShape(many=True)
    next = serializers.CharField(allow_null=True)


class NewModel(serializers.Serializer):
    name = serializers.CharField(max_length=100)
    kind = serializers.ChoiceField(choices=ModelVersion.Kind.choices)
    reference = serializers.CharField(max_length=500, help_text="hf:…, openai:…#…, run:…, builtin:…, program:…")
    revision = serializers.CharField(max_length=100, required=False, allow_blank=True)
    config = serializers.DictField(required=False)
    project = serializers.SlugField(required=False, allow_null=True, help_text="whose members alone see it")
    trust = serializers.CharField(
        max_length=100,
        required=False,
        allow_blank=True,
        help_text="the name again, by which an administrator lets the model's own code run",
    )


class Trial(serializers.Serializer):
    prompt = serializers.CharField(max_length=20_000, allow_blank=True, trim_whitespace=False)
    responses = serializers.ListField(
        child=serializers.CharField(max_length=20_000, trim_whitespace=False), min_length=1, max_length=2
    )
