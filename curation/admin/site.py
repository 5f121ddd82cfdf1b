"""What surrounds every page of the admin: the sign-in, the sidebar and the icon."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.urls import reverse

from curation.errors import Forbidden

STAGES = (
    (
        "Projects",
        (
            ("Projects", "curation.project", "folder", "make, change, remove, restore"),
            ("Protocols", "curation.protocol", "rule", "every version of what is asked"),
        ),
    ),
    (
        "Import",
        (
            ("Items", "curation.item", "chat", "prompts with their responses"),
            ("Pairs", "curation.pair", "compare", "two responses to compare"),
            ("Changes", "curation.change", "history", "items corrected, removed and brought back, by whom"),
            ("Runs", "curation.run", "autorenew", "imports and freezes: cancel, try again"),
        ),
    ),
    (
        "Annotate",
        (
            ("Tasks", "curation.task", "checklist", "priority, overlap, retire, reopen"),
            ("Annotations", "curation.annotation", "rate_review", "every answer, skip and undo"),
            ("Gold", "curation.gold", "verified", "tasks whose answer is known; take back, keep"),
            ("Results on gold", "curation.goldresult", "fact_check", "how right each answer to gold was"),
            ("Asked again", "curation.repeat", "repeat", "pairs shown once more, sides swapped; only checks read them"),
            ("Annotators", "curation.annotator", "groups", "who judges, people and models"),
            ("Agreement", "curation.agreementstate", "handshake", "how far its sums are; delete one to make it anew"),
            ("Queues", "curation.queue", "queue", "tasks given out apart: to whom, how often, until when"),
            ("Groups", "curation.group", "diversity_3", "teams, languages, skills"),
            ("Reviews", "curation.review", "fact_check", "answers looked at again, and what became of them"),
            ("Comments", "curation.comment", "forum", "what was written beside items"),
        ),
    ),
    (
        "Freeze",
        (
            ("Datasets", "curation.dataset", "database", "named lines of versions"),
            ("Versions", "curation.datasetversion", "package_2", "files, counts and hashes"),
        ),
    ),
    (
        "Models",
        (("Models", "curation.modelversion", "neurology", "what was checked of each; check again, retire, try"),),
    ),
    (
        "Work",
        (
            ("Workers", "curation.worker", "memory", "which processes are there, for which queue"),
            ("Schedules", "curation.schedule", "schedule", "runs that start by the clock"),
        ),
    ),
    (
        "People",
        (
            ("Users", "curation.user", "person", "accounts, staff, sign-in links"),
            ("Memberships", "curation.membership", "badge", "roles in projects"),
            ("Invites", "curation.invite", "mail", "open invite links"),
            ("API tokens", "curation.apitoken", "key", "who has which; revoke"),
            ("Crowd links", "curation.crowdlink", "group_add", "guests without account, up to a quota"),
            ("Guests", "curation.crowdperson", "person_pin", "who came by which crowd link, and their codes"),
            ("Identities", "socialaccount.socialaccount", "fingerprint", "who signs in by which provider"),
            ("Second steps", "mfa.authenticator", "phonelink_lock", "who has two-factor sign-in"),
            ("Audit log", "curation.auditevent", "policy", "who did what"),
            ("Failed sign-ins", "axes.accessattempt", "lock", "delete one to let its user try again"),
        ),
    ),
)
"""The sidebar and the first page, stage by stage: a label, a table, an icon and what it is for."""


def navigation(_request: HttpRequest) -> list[dict[str, Any]]:
    return [{"title": stage, "items": [entry(*line) for line in lines]} for stage, lines in STAGES]


def entry(title: str, label: str, icon: str, about: str) -> dict[str, Any]:
    app, model = label.split(".")

    def permitted(request: HttpRequest) -> bool:
        return request.user.has_perm(f"{app}.view_{model}")

    link = reverse(f"admin:{app}_{model}_changelist")
    return {"title": title, "icon": icon, "link": link, "permission": permitted, "about": about}


def icon(_request: HttpRequest) -> str:
    return static("img/favicon.svg")


def favicons(_request: HttpRequest) -> list[dict[str, str]]:
    return [{"rel": "icon", "type": "image/svg+xml", "href": static("img/favicon.svg")}]


def sign_in(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """The site's sign-in page, which counts failures and takes one-time links."""
    if request.user.is_authenticated:
        raise Forbidden("the admin is for staff")
    return redirect_to_login(request.GET.get("next") or reverse("admin:index"), "sign-in")


admin.site.login = sign_in  # type: ignore[method-assign, assignment]
