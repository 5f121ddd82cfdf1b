"""Who came in and how: the audit log, crowd links and their guests, identities at providers, second steps."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.core.exceptions import ObjectDoesNotExist
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest

from curation.admin.lists import BigList, OnlyRead
from curation.models import Act, AuditEvent, CrowdLink, CrowdPerson, Project
from curation.services import auditing

for theirs in (EmailAddress, SocialAccount, SocialApp, SocialToken, Authenticator):
    admin.site.unregister(theirs)


@admin.register(AuditEvent)
class AuditEventAdmin(OnlyRead, BigList):
    list_display = ("at", "who_name", "label", "project", "thing_name", "via", "address")
    list_filter = ("via", "project")
    list_select_related = ("project",)
    search_fields = ("who_name", "act", "thing_name")

    @admin.display(description="what")
    def label(self, event: AuditEvent) -> str:
        return event.label


@admin.register(CrowdLink)
class CrowdLinkAdmin(OnlyRead, BigList):
    list_display = ("name", "project", "quota", "person_count", "most_people", "expires_at", "closed_at", "created_by")
    list_filter = ("project", "expires_at")
    list_select_related = ("project", "created_by")
    search_fields = ("name", "project__name")
    exclude = ("digest",)


@admin.register(CrowdPerson)
class CrowdPersonAdmin(OnlyRead, BigList):
    list_display = ("user", "link", "platform_id", "created_at", "finished_at", "excluded_at")
    list_filter = ("link__project",)
    list_select_related = ("user", "link")
    search_fields = ("user__username", "platform_id", "link__name")


@admin.register(SocialAccount)
class IdentityAdmin(OnlyRead, BigList):
    """Who signs in by which provider; taken away here when somebody's identity there is another one now."""

    list_display = ("user", "provider", "uid", "last_login", "date_joined")
    list_filter = ("provider",)
    list_select_related = ("user",)
    search_fields = ("user__username", "uid")
    exclude = ("extra_data",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser


@admin.register(Authenticator)
class SecondStepAdmin(OnlyRead, BigList):
    """Who has a second step, without its secret; the list of users resets it."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__username",)
    exclude = ("data",)


@receiver(post_save, sender=LogEntry)
def in_admin(instance: LogEntry, created: bool, **_more: Any) -> None:
    """What is added, changed or deleted by hand in the admin stands in the audit log too."""
    if not created:
        return
    what = {ADDITION: "added", CHANGE: "changed"}.get(instance.action_flag, "deleted")
    edited: Any = None
    with suppress(ObjectDoesNotExist, AttributeError):
        edited = instance.get_edited_object()
    project = edited if isinstance(edited, Project) else getattr(edited, "project", None)
    auditing.record(
        Act.IN_ADMIN,
        project=project if isinstance(project, Project) else None,
        by=instance.user,
        thing=edited,
        what=what,
        table=str(instance.content_type),
        object=instance.object_repr if edited is None else None,
        changes=instance.get_change_message(),
    )
