"""Users, memberships, invites and tokens. Secrets are nowhere to be seen: only digests are stored."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from curation.admin.lists import BigList, OnlyRead
from curation.models import ApiToken, Invite, Membership, User
from curation.services import people, two_factor

admin.site.unregister(Group)


class NewUser(UserCreationForm):
    class Meta:
        model = User
        fields = ("username", "display_name")


class MembershipInline(TabularInline):
    model = Membership
    extra = 0
    fields = ("project", "role", "created_at")
    readonly_fields = ("created_at",)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = NewUser
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "display_name", "kind", "email", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("kind", "is_active", "is_staff", "is_superuser")
    search_fields = ("username", "display_name", "email")
    ordering = ("username",)
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("username", "password", "display_name", "email")}),
        ("May", {"fields": ("is_active", "is_staff", "is_superuser", "user_permissions")}),
        ("When", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "display_name", "password1", "password2")}),)
    filter_horizontal = ("user_permissions",)
    readonly_fields = ("last_login", "date_joined")
    inlines = (MembershipInline,)
    actions = ("sign_in_link", "reset_two_factor")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Answers keep their annotator: take `active` away instead."""
        return False

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj else ()

    @admin.action(description="Make a one-time sign-in link", permissions=["grant"])
    def sign_in_link(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse:
        links = [
            (user, request.build_absolute_uri(reverse("sign-in-link", args=[people.make_sign_in_link(user=user)])))
            for user in queryset.filter(is_active=True, kind=User.Kind.PERSON)[:20]
        ]
        context = {**self.admin_site.each_context(request), "title": "One-time sign-in links", "links": links}
        response = TemplateResponse(request, "admin/sign_in_links.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @admin.action(description="Reset two-factor sign-in", permissions=["grant"])
    def reset_two_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        by = request.user
        assert isinstance(by, User)
        reset = [user.username for user in queryset[:20] if two_factor.reset(user=user, by=by)]
        self.message_user(request, f"Reset: {', '.join(reset) or 'nobody had it'}.")

    def has_grant_permission(self, request: HttpRequest) -> bool:
        """Who may sign anybody in may become anybody."""
        return request.user.is_superuser


@admin.register(Membership)
class MembershipAdmin(BigList):
    list_display = ("user", "project", "role", "created_at")
    list_filter = ("role", "project")
    list_select_related = ("user", "project")
    search_fields = ("user__username", "project__name")
    autocomplete_fields = ("user", "project")
    readonly_fields = ("created_at",)


@admin.register(Invite)
class InviteAdmin(OnlyRead, BigList):
    list_display = ("project", "role", "note", "uses_left", "expires_at", "created_by")
    list_filter = ("role", "project", "expires_at")
    list_select_related = ("project", "created_by")
    search_fields = ("note", "project__name")
    exclude = ("digest",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("curation.delete_invite")


@admin.register(ApiToken)
class ApiTokenAdmin(OnlyRead, BigList):
    list_display = ("name", "user", "hint", "allowed", "last_used_on", "expires_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "expires_at", "last_used_on")
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "hint")
    exclude = ("digest",)
    actions = ("revoke",)

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("curation.change_apitoken")

    @admin.display(description="may")
    def allowed(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    @admin.action(description="Revoke", permissions=["act"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for token in queryset:
            people.revoke_token(user=token.user, token_id=token.pk)
        self.message_user(request, "Revoked; scripts that use them are refused from now on.")
