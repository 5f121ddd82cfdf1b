"""Who may do what: each function returns the object or raises. Strangers learn nothing but "not found"."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser

from curation.errors import Forbidden, NotFound
from curation.models import Annotator, Membership, Project, Role, User

SEE, ANNOTATE, READ, REVIEW = "see", "annotate", "read", "review"
FEED, FREEZE, MANAGE, OWN = "feed", "freeze", "manage", "own"

CAN: dict[str, frozenset[str]] = {
    Role.VIEWER: frozenset({SEE, READ}),
    Role.ANNOTATOR: frozenset({SEE, ANNOTATE}),
    Role.REVIEWER: frozenset({SEE, ANNOTATE, READ, REVIEW}),
    Role.SERVICE: frozenset({SEE, READ, FEED, FREEZE}),
    Role.MANAGER: frozenset({SEE, ANNOTATE, READ, REVIEW, FEED, FREEZE, MANAGE}),
    Role.OWNER: frozenset({SEE, ANNOTATE, READ, REVIEW, FEED, FREEZE, MANAGE, OWN}),
}
"""Capabilities of each role. READ is reading answers, model names and datasets; an annotator lacks it."""

GUESTS_OPEN = frozenset({"crowd", "crowd-seat", "crowd-finish", "sign-out", "theme", "account-keys"})
GUESTS_WORK = frozenset(
    {
        "annotate",
        "annotate-next",
        "annotate-last",
        "annotate-alive",
        "annotate-task",
        "annotate-draft",
        "annotate-heat",
        "image",
        "api-submit",
        "api-skip",
        "api-undo",
    }
)
"""Names of the addresses that a guest of a crowd link may open: always, and while there is work to do. Whatever is in
neither is closed to guests, so an address that is added is closed until somebody puts it here."""

STEPPED = frozenset({Role.MANAGER, Role.OWNER})
"""Roles that need a second step at sign-in where a project asks for it; without, they do what a reviewer does."""

WHAT = {
    SEE: "see this project",
    ANNOTATE: "annotate here",
    READ: "read answers and datasets",
    REVIEW: "review answers",
    FEED: "import data",
    FREEZE: "make dataset versions",
    MANAGE: "change this project",
    OWN: "do this; it is for owners",
}


def capabilities(user: User | AnonymousUser, project: Project) -> frozenset[str]:
    """What `user` may do in `project`; empty for strangers. Superusers may do everything."""
    if not user.is_authenticated:
        return frozenset()
    role = role_in(user, project)
    if role and lacks_second_step(user, project, role):
        return CAN[Role.REVIEWER]
    return CAN[role] if role else frozenset()


def role_in(user: User | AnonymousUser, project: Project) -> str | None:
    if not user.is_authenticated:
        return None
    if user.is_superuser:
        return Role.OWNER
    here = Membership.objects.filter(user=user, project=project, deactivated_at=None)
    return here.values_list("role", flat=True).first()


def lacks_second_step(user: User, project: Project, role: str) -> bool:
    """Whether a browser's session began without the second step that the project asks of this role.

    Scripts are not asked: a token is a secret of its own.
    """
    return project.two_factor and role in STEPPED and user.entered == ""


def allow(user: User | AnonymousUser, project: Project | None, capability: str) -> Project:
    """`project`, if `user` may do `capability` in it. Raises NotFound for strangers, Forbidden for members."""
    can = capabilities(user, project) if project else frozenset()
    if project is None or SEE not in can:
        raise NotFound("no such project")
    if capability not in can:
        role = role_in(user, project)
        if role and capability in CAN[role]:
            raise Forbidden(
                "this project asks its managers and owners for two-factor sign-in: turn it on on your account page, "
                "or sign in again with it"
            )
        raise Forbidden(f"your role does not let you {WHAT[capability]}")
    return project


def project_for(user: User | AnonymousUser, slug: str, capability: str) -> Project:
    """The live project `slug`, if `user` may do `capability` in it."""
    project = Project.objects.select_related("protocol").filter(slug=slug, deleted_at__isnull=True).first()
    return allow(user, project, capability)


def annotator_for(user: User, project: Project) -> Annotator:
    """The annotator that `user` is in `project`; made at first use."""
    found = Annotator.objects.filter(project=project, user=user).first()
    if found is None:
        found, _ = Annotator.objects.get_or_create(
            project=project, user=user, defaults={"kind": Annotator.Kind.PERSON, "name": f"@{user.username}"}
        )
    return found
