"""Bearer tokens: one statement that must say exactly who is calling."""

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from curation.api.auth import live_token
from curation.models import ApiToken, User
from tests.cast import Cast, token_for


@pytest.mark.parametrize("name", ["ann", "ada"])
def test_a_token_is_its_user_and_nobody_else(cast: Cast, name: str) -> None:
    token = live_token(token_for(cast.people[name], "read"))
    assert token is not None and token.scopes == ["read"]
    found, real = token.user, User.objects.get(username=name)
    for field in ("pk", "username", "is_superuser", "is_staff", "is_active", "theme", "email"):
        assert getattr(found, field) == getattr(real, field), field


def test_a_deactivated_user_has_no_live_token(cast: Cast) -> None:
    secret = token_for(cast.ann)
    User.objects.filter(pk=cast.ann.pk).update(is_active=False)
    assert live_token(secret) is None and live_token("ts_unknown") is None


def test_the_day_of_last_use_is_noted(cast: Cast) -> None:
    live_token(token_for(cast.ann))
    assert ApiToken.objects.get().last_used_on == timezone.now().date()


def test_a_refused_token_hears_which_scope_it_lacks(cast: Cast) -> None:
    api = APIClient(HTTP_AUTHORIZATION=f"Bearer {token_for(cast.mia, 'read')}")
    reply = api.post(f"/api/v1/projects/{cast.project.slug}/runs", {"method": "score"}, format="json")
    assert reply.status_code == 403
    assert reply.json()["detail"] == "this token lacks the scope write: make one that has it (Account → API tokens)"
    asked = api.patch(f"/api/v1/projects/{cast.project.slug}", {"name": "x"}, format="json")
    assert asked.status_code == 403 and "lacks the scope manage" in asked.json()["detail"]
