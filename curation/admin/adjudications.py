"""Adjudications and the cases that guidelines quote: found and read."""

from __future__ import annotations

from django.contrib import admin

from curation.admin.lists import BigList, OnlyRead
from curation.models import Adjudication, GuidelineCase


@admin.register(Adjudication)
class AdjudicationAdmin(OnlyRead, BigList):
    list_display = ("id", "annotation", "made_by", "created_at", "undone_at")
    list_select_related = ("annotation", "made_by")
    fields = ("annotation", "made_by", "sources", "created_at", "undone_at")


@admin.register(GuidelineCase)
class GuidelineCaseAdmin(OnlyRead, BigList):
    list_display = ("id", "project", "adjudication", "made_by", "created_at", "withdrawn_at")
    list_filter = ("project",)
    list_select_related = ("project", "adjudication__annotation", "made_by")
    fields = ("project", "adjudication", "words", "made_by", "created_at", "withdrawn_at")
