"""Service accounts: made on the members page, acting by tokens in one project, unable to sign in."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from curation.errors import Conflict, Invalid
from curation.models import ApiToken, AuditEvent, Membership, User
from curation.services import people, service_accounts
from tests.cast import Cast
from tests.test_people import PASSWORD, browser

ROOT = "/projects/helpfulness/members"


def by_token(secret: str, path: str = "/api/v1/projects/helpfulness/items") -> int:
    return int(Client().get(path, HTTP_AUTHORIZATION=f"Bearer {secret}").status_code)


def shown_secret(page: Any) -> str:
    found = re.search(r'id="secret">(ts_[\w-]+)<', page.content.decode())
    assert found is not None
    return found[1]


@pytest.fixture
def account(cast: Cast) -> Membership:
    made = browser(cast.mia).post(f"{ROOT}/services/", {"name": "Nightly import"})
    assert made.status_code == 302
    return Membership.objects.select_related("user", "project").get(user__kind="service")


def test_a_manager_makes_one_and_its_token_works_in_this_project_alone(cast: Cast, account: Membership) -> None:
    manager = browser(cast.mia)
    page = manager.post(f"{ROOT}/services/{account.pk}/", {"name": "cron", "scopes": ["write"], "days": "30"})
    secret = shown_secret(page)
    assert by_token(secret) == 200 and by_token(secret, "/api/v1/projects/helpfulness/members") == 403
    assert Client().get("/api/v1/projects", HTTP_AUTHORIZATION=f"Bearer {secret}").json()["results"][0]["slug"]
    assert secret not in manager.get(f"{ROOT}/services/{account.pk}/").content.decode()
    listed = manager.get(f"{ROOT}/").content.decode()
    assert "Nightly import" in listed and timezone.now().strftime("%-d %b %Y") in listed
    assert {"service.made", "token.made"} <= set(AuditEvent.objects.values_list("act", flat=True))


def test_nobody_signs_in_as_a_service_account(cast: Cast, account: Membership) -> None:
    with pytest.raises(Invalid):
        people.make_sign_in_link(user=account.user)
    account.user.set_password(PASSWORD)  # as somebody might in the admin
    account.user.save()
    client = Client()
    client.post("/sign-in/", {"username": account.user.username, "password": PASSWORD})
    assert client.get("/account/").status_code == 302


def test_a_rotated_token_gives_its_place_within_a_day(cast: Cast, account: Membership) -> None:
    ends = timezone.now() + timedelta(days=30)
    old, first = service_accounts.make_token(account, name="cron", scopes=["read"], expires_at=ends)
    page = browser(cast.mia).post(f"{ROOT}/services/{account.pk}/tokens/{old.pk}/rotate/")
    second = shown_secret(page)
    assert by_token(first) == by_token(second) == 200
    old.refresh_from_db()
    new = ApiToken.objects.latest("pk")
    assert old.expires_at and old.expires_at <= timezone.now() + timedelta(hours=24)
    assert (new.name, new.scopes) == ("cron", ["read"])
    assert new.expires_at and abs(new.expires_at - ends) < timedelta(minutes=1)
    browser(cast.mia).post(f"{ROOT}/services/{account.pk}/tokens/{old.pk}/revoke/")
    assert by_token(first) == 401
    with pytest.raises(Conflict):
        service_accounts.rotate_token(account, old.pk)


def test_one_that_is_taken_out_is_refused_at_once(cast: Cast, account: Membership) -> None:
    _, secret = service_accounts.make_token(account, name="cron", scopes=["read"], expires_at=None)
    browser(cast.mia).post(f"{ROOT}/services/{account.pk}/remove/")
    assert by_token(secret) == 401 and User.objects.filter(pk=account.user_id).exists()


def test_its_role_is_no_other_and_its_name_is_its_own(cast: Cast, account: Membership) -> None:
    browser(cast.olga).post(f"{ROOT}/{account.pk}/", {"role": "owner"})
    account.refresh_from_db()
    assert account.role == "service"
    again = browser(cast.mia).post(f"{ROOT}/services/", {"name": "Nightly import"})
    assert again.status_code == 422 and "one of this name" in again.content.decode()
    foreign = ApiToken.objects.create(user=cast.olga, name="hers", digest="x" * 64, hint="ts_x", scopes=["read"])
    for verb in ("revoke", "rotate"):
        assert browser(cast.mia).post(f"{ROOT}/services/{account.pk}/tokens/{foreign.pk}/{verb}/").status_code == 404
