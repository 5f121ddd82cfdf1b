"""Projects and the versions of their protocols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget

from curation.admin.lists import BigList, InlineRows, OnlyRead, excerpt, list_link, one_by_one
from curation.errors import DomainError
from curation.models import Membership, Project, Protocol, User
from curation.presets import DEFAULT, PRESETS
from curation.services import freezing, projects, starting
from workers.curating import Curator, curators

SPLITS = {"train": 0.9, "test": 0.1}


class NewProject(forms.ModelForm):
    """A project that begins with a preset; the service checks it."""

    preset = forms.ChoiceField(
        choices=[(preset.name, preset.title) for preset in PRESETS.values()],
        initial=DEFAULT,
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = Project
        fields = ("name", "slug", "description")

    def clean_slug(self) -> str:
        try:
            projects.check_slug(self.cleaned_data["slug"])
        except DomainError as error:
            raise forms.ValidationError(error.detail) from error
        return self.cleaned_data["slug"]


class MembershipInline(InlineRows):
    model = Membership
    fields = ("user", "role", "created_at")


class Removed(admin.SimpleListFilter):
    """Projects in use, unless the removed ones are asked for."""

    title = "state"
    parameter_name = "removed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Removed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Project]) -> QuerySet[Project]:
        return queryset.filter(deleted_at__isnull=self.value() != "yes")

    def choices(self, changelist: Any) -> Any:
        found = list(super().choices(changelist))
        found[0]["display"] = "In use"
        return found


@admin.register(Project)
class ProjectAdmin(ModelAdmin):
    list_display = ("name", "slug", "item_count", "task_count", "overlap", "rows", "created_at")
    list_filter = (Removed, "created_at")
    search_fields = ("name", "slug")
    ordering = ("-pk",)
    show_full_result_count = False
    readonly_fields = ("slug", "item_count", "task_count", "protocol", "seed", "created_at", "deleted_at", "rows")
    fields = ("name", "slug", "description", "overlap", *readonly_fields[1:])
    inlines = (MembershipInline,)
    actions = ("make_version", "remove", "restore")

    @admin.display(description="look at")
    def rows(self, project: Project) -> SafeString:
        parts = [
            list_link(model.title() + "s", model, project__id__exact=project.pk)
            for model in ("item", "task", "annotation", "run")
        ]
        return SafeString(" · ".join(parts))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs |= {"form": NewProject, "fields": NewProject.Meta.fields}
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ("name", "slug", "description", "preset")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj else ()

    def get_view_on_site_url(self, obj: Any = None) -> str | None:
        return reverse("project", args=[obj.slug]) if obj and not obj.deleted_at else None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Project, form: ModelForm[Project], change: bool) -> None:
        """Through the same services as the pages: a new project gets its protocol and its owner."""
        given = form.cleaned_data
        if change:
            names = ("name", "description", "overlap")
            projects.change_project(project=obj, **{name: given[name] for name in names})
            return
        made = projects.create_project(
            slug=given["slug"],
            name=given["name"],
            user=acting(request),
            preset=given["preset"],
            description=given["description"],
        )
        obj.pk, obj.__dict__ = made.pk, made.__dict__

    @admin.action(description="Make a trl-preference dataset version (train 0.9, test 0.1)")
    def make_version(self, request: HttpRequest, queryset: QuerySet[Project]) -> None:
        def make(project: Project) -> None:
            freezing.request_version(
                project=project,
                dataset_name="preferences",
                target="trl-preference",
                splits=SPLITS,
                user=acting(request),
            )

        one_by_one(request, queryset, make, "runs started; see Runs.")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Those above, and one for each curator that needs nothing to be said."""
        actions: dict[str, Any] = super().get_actions(request)
        if not actions or not request.user.has_perm("curation.change_project"):
            return actions
        ready = [one for one in curators if not any(info.is_required() for info in one.params.model_fields.values())]
        named = {f"curate_{one.name}": one for one in ready}
        return actions | {
            name: (curate_by(one), name, f"Curate by {one.title[:1].lower()}{one.title[1:]}; others on its page")
            for name, one in named.items()
        }

    @admin.action(description="Remove (rows are kept)")
    def remove(self, request: HttpRequest, queryset: QuerySet[Project]) -> None:
        one_by_one(request, queryset, lambda project: projects.remove_project(project=project), "projects removed.")

    @admin.action(description="Restore")
    def restore(self, request: HttpRequest, queryset: QuerySet[Project]) -> None:
        one_by_one(request, queryset, lambda project: projects.restore_project(project=project), "projects restored.")


@admin.register(Protocol)
class ProtocolAdmin(OnlyRead, BigList):
    list_display = ("project", "version", "asked", "strengths", "allow_tie", "allow_both_bad", "created_at")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("project__name", "guidelines")

    @admin.display(description="asked")
    def asked(self, protocol: Protocol) -> str:
        return excerpt("; ".join(axis["question"] for axis in protocol.axes))


def curate_by(curator: Curator) -> Callable[[ProjectAdmin, HttpRequest, QuerySet[Project]], None]:
    """The action that starts a run of a curator with its usual settings in each of some projects."""

    def act(_admin: ProjectAdmin, request: HttpRequest, queryset: QuerySet[Project]) -> None:
        def begin(project: Project) -> None:
            params = {"curator": curator.name}
            starting.start(project=project, method="curate", params=params, user=acting(request))

        one_by_one(request, queryset, begin, "runs started; what they propose is on each project's Curation page.")

    return act


def acting(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
