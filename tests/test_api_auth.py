"""Bearer tokens: one statement that must say exactly who is calling."""

import pytest
from django.utils import timezone

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
