"""What templates need around the content: the tabs of a project, and how numbers and times are said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms, template
from django.forms import BoundField
from django.template import Context
from django.urls import reverse
from django.utils import timezone

from curation import access
from curation.models import Annotator, DatasetVersion, Membership, Progress, Project, Role, Run, User
from curation.services import commenting

register = template.Library()

TABS = (
    ("Overview", (("Overview", "", access.SEE),)),
    ("Annotate", (("Annotate", "annotate/", access.ANNOTATE), ("Your work", "me/", access.ANNOTATE))),
    (
        "Team",
        (
            ("Queues", "work/", access.MANAGE),
            ("Review", "review/", access.REVIEW),
            ("Adjudicate", "adjudicate/", access.REVIEW),
            ("People", "people/", access.MANAGE),
            ("Guidelines", "guidelines/", access.SEE),
        ),
    ),
    (
        "Quality",
        (
            ("Agreement", "agreement/", access.READ),
            ("Decisions", "decisions/", access.READ),
            ("Gold", "gold/", access.MANAGE),
            ("Checks", "checks/", access.READ),
            ("Bias", "bias/", access.READ),
        ),
    ),
    (
        "Curation",
        (
            ("Curation", "curation/", access.READ),
            ("Plans", "plans/", access.READ),
            ("What next", "next/", access.READ),
            ("Safety", "safety/", access.READ),
        ),
    ),
    ("Items", (("Items", "items/", access.READ),)),
    ("Import", (("Import", "imports/", access.FEED),)),
    ("Datasets", (("Datasets", "datasets/", access.READ),)),
    ("Training", (("Training", "training/", access.READ),)),
    ("Runs", (("Runs", "runs/", access.READ), ("Schedules", "schedules/", access.READ))),
    (
        "Settings",
        (
            ("Settings", "settings/", access.MANAGE),
            ("Protocol", "protocol/", access.MANAGE),
            ("Members", "members/", access.MANAGE),
            ("Webhooks", "webhooks/", access.MANAGE),
            ("Audit log", "settings/audit/", access.OWN),
        ),
    ),
)
"""Tabs, each with the pages behind it: label, address below the project's, and the capability that each takes."""


@dataclass(frozen=True)
class Tab:
    label: str
    href: str
    current: bool
    pages: tuple[Tab, ...] = ()
    """Where a tab holds several pages that the user may open."""


@register.simple_tag(takes_context=True)
def project_tabs(context: Context) -> list[Tab]:
    """The sub-pages of `project` that the user may open; none where the page has no project."""
    project, request = context.get("project"), context.get("request")
    if not isinstance(project, Project) or request is None:
        return []
    can = access.capabilities(request.user, project)
    root = reverse("project", args=[project.slug])
    here = request.path.removeprefix(root)
    paths = [path for _, pages in TABS for _, path, _ in pages if path and here.startswith(path)]
    current = max(paths, key=len, default="" if request.path == root else None)
    found = []
    for label, pages in TABS:
        mine = tuple(Tab(name, root + path, path == current) for name, path, capability in pages if capability in can)
        if mine:
            several = len(mine) > 1
            within = any(page.current for page in mine)
            found.append(Tab(label if several else mine[0].label, mine[0].href, within, mine if several else ()))
    return found


@register.simple_tag(takes_context=True)
def unread_mentions(context: Context) -> str:
    """How many comments wait in the inbox of who looks, up to nine; nothing where there are none."""
    user = getattr(context.get("request"), "user", None)
    count = commenting.unread(user) if isinstance(user, User) else 0
    return "" if not count else str(count) if count < 10 else "9+"


@register.simple_tag
def themes() -> list[tuple[str, str]]:
    """The values of a user's theme, with a word short enough for a switch."""
    return [("auto", "Auto"), ("light", "Light"), ("dark", "Dark")]


@register.filter
def initials(user: User) -> str:
    """One or two letters that stand for a person."""
    words = str(user).replace(".", " ").replace("_", " ").replace("-", " ").split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"


@register.filter
def input_type(field: BoundField) -> str:
    """How a form field is laid out: checkbox, radio, checkboxes, or anything else under its label."""
    widget = field.field.widget
    if isinstance(widget, forms.CheckboxSelectMultiple):
        return "checkboxes"
    if isinstance(widget, forms.RadioSelect):
        return "radio"
    return "checkbox" if isinstance(widget, forms.CheckboxInput) else "other"


@register.filter
def number(value: Any) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{int(value or 0):,}".replace(",", "\u202f")


@register.filter
def duration(milliseconds: int | None) -> str:
    """Milliseconds as a person says them: `0 s`, `850 ms`, `12 s`, `4 min`, `3 h 20 min`."""
    if milliseconds is None:
        return "–"
    seconds = milliseconds / 1000
    if 0 < seconds < 1:
        return f"{milliseconds:.0f} ms"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest and hours < 100 else f"{hours} h"


@register.filter
def last_owner(member: Membership, owners: int) -> bool:
    """Whether a project would be left without an owner if `member` were not one."""
    return member.role == Role.OWNER and member.deactivated_at is None and owners < 2


@register.filter
def state_badge(state: str) -> str:
    """The colour of a run's or a version's state."""
    names = {
        "succeeded": "badge--good",
        "ready": "badge--good",
        "finished": "badge--good",
        "done": "badge--good",
        "waiting": "badge--warn",
        "failed": "badge--bad",
        "cancelled": "badge--warn",
        "running": "badge--accent badge--live",
        "making": "badge--accent badge--live",
    }
    return names.get(state, "")


@register.filter
def took(run: Run) -> str:
    """How long a run has worked, or worked until it ended."""
    if run.started_at is None:
        return "–"
    return duration(int(((run.ended_at or timezone.now()) - run.started_at).total_seconds() * 1000))


@register.filter
def plain(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values of a JSON object as a person reads them; long lists by their length."""
    return [(name.replace("_", " "), said(value)) for name, value in values.items() if value not in ("", None, {}, [])]


def said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return number(value)
    if isinstance(value, float):
        if 1e-6 <= abs(value) < 1e-4:  # where a float would be written with an exponent
            return format(Decimal(f"{value:.4g}"), "f")
        return f"{value:.4g}" if abs(value) < 10_000 else number(round(value))
    if isinstance(value, list):
        return ", ".join(map(str, value)) if len(str(value)) < 120 and not nested(value) else f"{len(value)} entries"
    if isinstance(value, dict):
        return ", ".join(
            f"{name.replace('_', ' ')} {f'({said(inner)})' if isinstance(inner, dict) else said(inner)}"
            for name, inner in value.items()
        )
    return str(value)


def nested(values: list[Any]) -> bool:
    return any(isinstance(value, dict | list) for value in values)


@register.filter
def last_line(text: str) -> str:
    """The last line of a traceback: what went wrong."""
    return (text.strip().splitlines() or [""])[-1]


@register.filter
def version_address(run: Run, project: Project) -> str:
    """Where the version stands that a freeze made."""
    root = reverse("project", args=[project.slug]) + "datasets/"
    version = DatasetVersion.objects.filter(run=run).select_related("dataset").first()
    return f"{root}{version.dataset.name}/{version.number}/" if version else root


@register.filter
def who(annotator: Annotator) -> str:
    """The name under which an annotator is known in a project."""
    return str(annotator.user) if annotator.user else str(annotator)


@register.filter
def pace(progress: Progress) -> str:
    """Mean active time of an answer, where any was measured."""
    return duration(progress.active_ms // progress.done) if progress.done and progress.active_ms else "–"


@register.filter
def ago(moment: datetime) -> str:
    """How long ago, in one unit."""
    seconds = (timezone.now() - moment).total_seconds()
    if seconds < 60:
        return "just now"
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
