"""The second step: set up, asked for at every way in but a provider's, good once, recovered, reset, required."""

from __future__ import annotations

import re
import time
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from curation.errors import Conflict, Forbidden, Invalid
from curation.models import AuditEvent, Project, User
from curation.services import people, two_factor
from tests.cast import Cast, token_for
from tests.test_people import PASSWORD, browser, signed_in

pytestmark = pytest.mark.once


def code(secret: str, ahead: int = 0) -> str:
    """What an app shows now, or some steps later."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + ahead))


class Phone:
    """An app with one key; each code is used once, so it goes a step ahead each time."""

    def __init__(self, client: Client) -> None:
        page = client.get("/account/two-factor/")
        self.secret = page.context["secret"].replace(" ", "")
        self.used = -2
        assert "<svg" in page.content.decode() and "otpauth://totp/" in page.content.decode()

    def __call__(self) -> str:
        self.used += 1
        return code(self.secret, self.used)


@pytest.fixture
def ann(cast: Cast) -> User:
    people.change_password(user=cast.ann, current="", password=PASSWORD)
    return cast.ann


def switched_on(user: User) -> tuple[Client, Phone, list[str]]:
    client = browser(user)
    phone = Phone(client)
    shown = client.post("/account/two-factor/", {"action": "on", "code": phone()})
    assert shown.status_code == 201
    return client, phone, re.findall(r"^\d{8}$", shown.content.decode().replace('codes">', "\n"), re.M)


def by_password(client: Client, name: str = "ann") -> Any:
    return client.post("/sign-in/?next=/account/tokens/", {"username": name, "password": PASSWORD, "next": "/account/"})


def test_the_password_alone_no_longer_signs_in(ann: User) -> None:
    _, phone, codes = switched_on(ann)
    assert len(codes) == 10
    client = browser()
    assert by_password(client)["Location"] == "/sign-in/second-step/" and not signed_in(client)
    assert client.post("/sign-in/second-step/", {"code": "000000"}).status_code == 422 and not signed_in(client)
    last = phone()
    assert client.post("/sign-in/second-step/", {"code": last})["Location"] == "/account/" and signed_in(client)
    again = browser()
    by_password(again)
    assert again.post("/sign-in/second-step/", {"code": last}).status_code == 422  # it is good once


def test_a_sign_in_link_asks_too_and_the_admin_honours_it(cast: Cast) -> None:
    _, phone, _ = switched_on(cast.ada)
    client = browser()
    client.get(f"/sign-in/{people.make_sign_in_link(user=cast.ada)}/")
    assert client.get("/admin/").status_code == 302 and not signed_in(client)
    client.post("/sign-in/second-step/", {"code": phone()})
    assert client.get("/admin/").status_code == 200


def test_a_recovery_code_works_once_and_others_can_be_made(ann: User) -> None:
    owner, phone, codes = switched_on(ann)
    for status in (302, 422):
        client = browser()
        by_password(client)
        assert client.post("/sign-in/second-step/", {"code": codes[0]}).status_code == status
    assert "9 recovery codes left" in owner.get("/account/").content.decode()
    shown = owner.post("/account/two-factor/", {"action": "codes", "codes-code": phone()})
    assert shown.status_code == 201 and codes[1] not in shown.content.decode()
    assert not two_factor.check(user=ann, code=codes[1])


def test_guessing_codes_is_stopped_like_guessing_passwords(ann: User, settings: Any) -> None:
    _, phone, _ = switched_on(ann)
    client = browser()
    by_password(client)
    for _ in range(settings.AXES_FAILURE_LIMIT):
        locked = client.post("/sign-in/second-step/", {"code": "000000"})
    assert locked.status_code == 429
    assert client.post("/sign-in/second-step/", {"code": phone()}).status_code == 429 and not signed_in(client)
    acts = AuditEvent.objects.filter(act="session.failed")
    assert acts.filter(details__locked=True, thing_name="ann").exists()


def test_the_second_step_waits_ten_minutes(ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    _, phone, _ = switched_on(ann)
    client = browser()
    by_password(client)
    started = time.time()
    monkeypatch.setattr("curation.views.entering.time.time", lambda: started + 601)
    assert client.post("/sign-in/second-step/", {"code": phone()})["Location"] == "/sign-in/"


def test_it_is_turned_off_with_the_password_or_a_code_where_there_is_none(ann: User, cast: Cast) -> None:
    client, _, _ = switched_on(ann)
    assert client.post("/account/two-factor/", {"action": "off", "off-password": "wrong"}).status_code == 422
    client.post("/account/two-factor/", {"action": "off", "off-password": PASSWORD})
    assert not Authenticator.objects.filter(user=ann).exists()
    client, phone, _ = switched_on(cast.bob)
    client.post("/account/two-factor/", {"action": "off", "off-code": phone()})
    assert not two_factor.is_on(cast.bob)


def test_the_key_is_not_in_the_clear_and_another_secret_key_cannot_read_it(ann: User, settings: Any) -> None:
    _, phone, codes = switched_on(ann)
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert phone.secret not in stored and codes[0] not in stored
    settings.SECRET_KEY = "another"
    with pytest.raises(Conflict, match="has to be reset"):
        two_factor.check(user=ann, code=phone())


def test_a_superuser_resets_it_and_so_does_the_command(ann: User, cast: Cast) -> None:
    switched_on(ann)
    with pytest.raises(Forbidden):
        two_factor.reset(user=ann, by=cast.olga)
    form = {"action": "reset_two_factor", "_selected_action": [str(ann.pk)]}
    browser(cast.ada).post(reverse("admin:curation_user_changelist"), form)
    assert not two_factor.is_on(ann)
    switched_on(ann)
    out = StringIO()
    call_command("reset_two_factor", "ann", stdout=out)
    assert "is off now" in out.getvalue() and not two_factor.is_on(ann)


# --- Required -----------------------------------------------------------------------------------------


def require(owner: Client) -> Any:
    form = {"action": "general", "name": "Helpfulness", "description": "", "overlap": "1", "two_factor": "on"}
    form |= {"certainty": "0.9", "review_levels": "0", "review_percent": "10"}
    form |= {"repeat_percent": "0", "repeat_after": "50"}
    return owner.post("/projects/helpfulness/settings/", form)


def test_an_owner_requires_it_of_managers_who_review_until_they_have_it(cast: Cast) -> None:
    assert "first, on your account page" in require(browser(cast.olga)).content.decode()
    assert require(browser(cast.mia)).status_code == 302 and not Project.objects.get().two_factor  # not hers to say
    owner, _, _ = switched_on(cast.olga)
    assert require(owner).status_code == 302 and Project.objects.get().two_factor
    mia = browser(cast.mia)
    refused = mia.get("/projects/helpfulness/members/")
    assert refused.status_code == 403 and "two-factor sign-in" in refused.content.decode()
    assert mia.get("/projects/helpfulness/items/").status_code == 200
    assert "A project that you manage asks for it" in mia.get("/account/").content.decode()
    with pytest.raises(Forbidden):
        cast.mia.entered = ""
        people.issue_token(user=cast.mia, name="around it", scopes=["manage"], expires_at=None)
    within, _, _ = switched_on(cast.mia)
    assert within.get("/projects/helpfulness/members/").status_code == 200
    assert browser(cast.mia).get("/projects/helpfulness/members/").status_code == 403  # a session from before
    assert browser(cast.rita).get("/projects/helpfulness/items/").status_code == 200


def test_tokens_are_not_asked_for_a_second_step(cast: Cast) -> None:
    switched_on(cast.olga)
    Project.objects.update(two_factor=True)
    reply = Client().get("/api/v1/projects/helpfulness/members", HTTP_AUTHORIZATION=f"Bearer {token_for(cast.olga)}")
    assert reply.status_code == 200


def test_a_wrong_first_code_turns_nothing_on(cast: Cast) -> None:
    client = browser(cast.ann)
    Phone(client)
    assert client.post("/account/two-factor/", {"action": "on", "code": "12"}).status_code == 422
    with pytest.raises(Invalid):
        two_factor.turn_on(user=cast.ann, sealed=two_factor.new_secret(), code="123456")
    assert not two_factor.is_on(cast.ann)
