"""Annotations with all that they carry: append-only, so there is nothing to edit here."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from curation.admin.lists import BigList, InlineRows, OnlyRead, excerpt
from curation.models import Annotation, Annotator, Critique, Preference, Rank, Verdict


class PreferenceInline(InlineRows):
    model = Preference
    fields = ("axis", "value", "both_bad", "probability")


class CritiqueInline(InlineRows):
    model = Critique
    fields = ("response", "start", "end", "quote", "type", "severity", "polarity", "comment", "edit", "review")


class VerdictInline(InlineRows):
    model = Verdict
    fields = ("response", "question", "answer", "comment", "start", "end", "review")


class RankInline(InlineRows):
    model = Rank
    fields = ("response", "rank")


@admin.register(Annotation)
class AnnotationAdmin(OnlyRead, BigList):
    list_display = ("id", "project", "event", "answer", "annotator", "task", "reasoning", "counted", "created_at")
    list_filter = ("event", "source", "counted", "project", "created_at")
    list_select_related = ("project", "annotator", "task")
    search_fields = ("=id", "annotator__name__startswith")
    search_help_text = "An annotation’s number, or the beginning of an annotator’s name"
    inlines = (PreferenceInline, CritiqueInline, VerdictInline, RankInline)

    def get_queryset(self, request: HttpRequest):  # type: ignore[no-untyped-def]
        return super().get_queryset(request).prefetch_related("preferences")

    @admin.display(description="answer")
    def answer(self, annotation: Annotation) -> str:
        return ", ".join(f"{found.axis} {found.outcome}" for found in annotation.preferences.all()) or "–"

    @admin.display(description="in words")
    def reasoning(self, annotation: Annotation) -> str:
        return excerpt(annotation.rationale or annotation.reason) or "–"


@admin.register(Annotator)
class AnnotatorAdmin(OnlyRead, BigList):
    list_display = ("name", "kind", "project", "user", "done", "skipped", "created_at")
    list_filter = ("kind", "project")
    list_select_related = ("project", "user", "progress")
    search_fields = ("name__startswith", "user__username")

    @admin.display(description="answers")
    def done(self, annotator: Annotator) -> int:
        return annotator.progress.done if hasattr(annotator, "progress") else 0

    @admin.display(description="skipped")
    def skipped(self, annotator: Annotator) -> int:
        return annotator.progress.skipped if hasattr(annotator, "progress") else 0
