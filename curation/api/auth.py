"""Who is calling: a bearer token, or the session of the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from django.db.models import Model
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from curation.models import ApiToken, Scope, User
from curation.models.people import digest
from curation.statements import row

if TYPE_CHECKING:
    from rest_framework.views import APIView


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer ts_…`; one indexed look-up of the secret's digest."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        kind, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        token = live_token(secret.strip())
        if token is None:
            raise AuthenticationFailed("this token is unknown, expired or revoked")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="touchstone"'


def in_table_order(model: type[Model], *names: str) -> list[str]:
    """The columns `names`, in the order in which `from_db` wants them."""
    return [field.attname for field in model._meta.concrete_fields if field.attname in names]


USER_FIELDS = in_table_order(
    User, "id", "username", "kind", "display_name", "theme", "is_active", "is_staff", "is_superuser"
)
TOKEN_FIELDS = in_table_order(ApiToken, "id", "user_id", "name", "scopes", "last_used_on")
LIVE_TOKEN = f"""
SELECT {", ".join(f"t.{name}" for name in TOKEN_FIELDS)}, {", ".join(f"u.{name}" for name in USER_FIELDS)}
FROM curation_apitoken t JOIN curation_user u ON u.id = t.user_id
WHERE t.digest = %s AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > %s) AND u.is_active
"""


def live_token(secret: str) -> ApiToken | None:
    """The token of a secret, if it may be used now; its day of last use is noted."""
    now = timezone.now()
    found = row(LIVE_TOKEN, [digest(secret), now])
    if found is None:
        return None
    own, user = list(found[: len(TOKEN_FIELDS)]), found[len(TOKEN_FIELDS) :]
    scopes = TOKEN_FIELDS.index("scopes")
    own[scopes] = orjson.loads(own[scopes])
    token = ApiToken.from_db("default", TOKEN_FIELDS, own)
    token.user = User.from_db("default", USER_FIELDS, user)
    if str(token.last_used_on) != str(now.date()):
        ApiToken.objects.filter(pk=token.pk).update(last_used_on=now.date())
    return token


class BrowserSession(SessionAuthentication):
    """The session cookie, with CSRF checked. Behind the token, so that its absence answers 401."""

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="touchstone"'


class SignedInWithScope(BasePermission):
    """Everybody is signed in; a token also needs the scope of the call (`scope` of the view, else by verb)."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        if not isinstance(request.auth, ApiToken):
            return True
        needed = needed_scope(request, view)
        self.message = f"this token lacks the scope {needed}: make one that has it (Account → API tokens)"
        return needed in granted(request.auth)


def needed_scope(request: Request, view: APIView) -> str:
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return Scope.READ
    return getattr(view, "write_scope", Scope.WRITE)


def granted(token: ApiToken) -> set[str]:
    """Scopes of a token; each wider one holds the narrower."""
    scopes: set[Any] = set(token.scopes)
    if Scope.MANAGE in scopes:
        scopes |= {Scope.WRITE, Scope.READ}
    if Scope.WRITE in scopes:
        scopes.add(Scope.READ)
    return scopes


def caller(request: Request) -> User:
    """The signed-in user of a request that was let in."""
    user = request.user
    assert isinstance(user, User)
    return user
