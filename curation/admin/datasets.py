"""Datasets, their immutable versions and the files of each."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from curation.admin.lists import BigList, InlineRows, OnlyRead, list_link, row_link
from curation.admin.runs import in_json
from curation.models import Dataset, DatasetFile, DatasetVersion


class VersionInline(InlineRows):
    model = DatasetVersion
    fields = ("number", "target", "state", "hash", "created_at")
    ordering = ("-number",)
    show_change_link = True


class FileInline(InlineRows):
    model = DatasetFile
    fields = ("name", "split", "rows", "bytes", "sha256")


@admin.register(Dataset)
class DatasetAdmin(OnlyRead, BigList):
    list_display = ("name", "project", "last_number", "versions_link", "created_at")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("name", "project__name")
    inlines = (VersionInline,)

    @admin.display(description="versions")
    def versions_link(self, dataset: Dataset) -> SafeString:
        return list_link("Versions", "datasetversion", dataset__id__exact=dataset.pk)


@admin.register(DatasetVersion)
class DatasetVersionAdmin(OnlyRead, BigList):
    list_display = ("__str__", "project", "target", "state", "rows", "seed", "created_by", "created_at")
    list_filter = ("state", "target", "dataset__project", "created_at")
    list_select_related = ("dataset__project", "created_by")
    search_fields = ("dataset__name", "hash__startswith")
    fields = (
        "dataset", "number", "target", "state", "hash", "counted", "filtered", "shares", "seed", "made_by_run",
        "card", "created_by", "created_at",
    )  # fmt: skip
    readonly_fields = ("counted", "filtered", "shares", "made_by_run")
    inlines = (FileInline,)

    @admin.display(description="project")
    def project(self, version: DatasetVersion) -> str:
        return str(version.dataset.project)

    @admin.display(description="rows")
    def rows(self, version: DatasetVersion) -> str:
        splits = version.counts.get("rows", {})
        return ", ".join(f"{split} {count}" for split, count in splits.items()) or "–"

    @admin.display(description="counts")
    def counted(self, version: DatasetVersion) -> SafeString:
        return in_json(version.counts)

    @admin.display(description="filters")
    def filtered(self, version: DatasetVersion) -> SafeString:
        return in_json(version.filters)

    @admin.display(description="splits")
    def shares(self, version: DatasetVersion) -> SafeString:
        return in_json(version.splits)

    @admin.display(description="run")
    def made_by_run(self, version: DatasetVersion) -> SafeString | str:
        return row_link(version.run) if version.run else "–"
