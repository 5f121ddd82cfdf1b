"""Sign-in by a provider, against one that is served beside it; and what the settings say of providers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from curation.models import AuditEvent, Membership, Project, User
from curation.providers import Provider as Settings
from curation.providers import claim, providers_from
from curation.services import people
from tests.cast import Cast
from tests.identity_provider import CLIENT, SECRET, Provider, serve
from tests.test_people import PASSWORD, browser, signed_in

pytestmark = pytest.mark.once


@pytest.fixture
def provider(settings: Any, cast: Cast) -> Iterator[Provider]:
    """A provider that lets in people of example.org, and members of the group `labellers` as annotators."""
    made = Provider(
        people={
            "nina": {"email": "nina@example.org", "email_verified": True, "preferred_username": "nina", "name": "Nina"},
            "otto": {"email": "otto@elsewhere.example", "email_verified": True, "preferred_username": "otto"},
            "gina": {"preferred_username": "gina", "in_token": {"groups": ["labellers", "unknown"]}},
        }
    )
    server = serve(made)
    configure(settings, made)
    yield made
    server.shutdown()
    server.server_close()


def configure(settings: Any, made: Provider, **more: Any) -> None:
    given = {
        "key": "house",
        "name": "House",
        "url": made.url,
        "id": CLIENT,
        "secret": SECRET,
        "domains": ["example.org"],
        "groups": {"labellers": {"helpfulness": "annotator"}, "heads": {"helpfulness": "owner"}},
    }
    settings.SIGN_IN_PROVIDERS = (Settings(**{**given, **more}),)


def round_trip(client: Client, login: str, begin: str = "/sign-in/with/house/") -> Any:
    """To the provider as a browser goes, answer its page, and come back; our answer."""
    away = client.get(begin)
    assert away.status_code == 302, away.content.decode()
    answered = httpx.post(away["Location"], data={"login": login})
    return client.get(answered.headers["Location"].removeprefix("http://testserver"))


def test_who_has_the_domain_comes_in_and_is_the_same_person_the_next_time(provider: Provider) -> None:
    client = browser()
    assert "Sign in with House" in client.get("/sign-in/").content.decode()
    reply = round_trip(client, "nina", "/sign-in/with/house/?next=/account/tokens/")
    assert reply["Location"] == "/account/tokens/" and signed_in(client)
    nina = User.objects.get(username="nina")
    assert (nina.email, nina.display_name, nina.has_usable_password()) == ("nina@example.org", "Nina", False)
    provider.people["nina"]["preferred_username"] = "somebody-else"
    again = browser()
    round_trip(again, "nina")
    assert again.get("/account/").context["user"].pk == nina.pk
    assert SocialAccount.objects.get().extra_data == {}


def test_sign_up_is_closed_to_everybody_else(provider: Provider, cast: Cast) -> None:
    before = User.objects.count()
    provider.people["liar"] = {"email": "liar@example.org", "email_verified": False, "preferred_username": "ann"}
    for login in ("otto", "liar"):
        client = browser()
        reply = round_trip(client, login)
        assert reply.status_code == 403 and "ask for an invite" in reply.content.decode()
        assert not signed_in(client)
    assert User.objects.count() == before and not SocialAccount.objects.exists()


def test_an_identity_never_takes_over_an_account_with_its_name_or_address(provider: Provider, cast: Cast) -> None:
    User.objects.filter(pk=cast.ann.pk).update(email="ann@example.org")
    provider.people["x"] = {"email": "ann@example.org", "email_verified": True, "preferred_username": "ann"}
    round_trip(browser(), "x")
    made = SocialAccount.objects.get().user
    assert made.pk != cast.ann.pk and made.username == "ann-2"


def test_an_invite_lets_a_stranger_in_with_its_role(provider: Provider, cast: Cast) -> None:
    _, secret = people.make_invite(project=cast.project, by=cast.mia, role="reviewer")
    assert "Join with House" in browser().get(f"/join/{secret}/").content.decode()
    client = browser()
    reply = round_trip(client, "otto", f"/sign-in/with/house/?invite={secret}&next=/projects/helpfulness/")
    assert client.get(reply["Location"]).status_code == 200
    assert Membership.objects.get(user__username="otto").role == "reviewer"
    assert round_trip(browser(), "gina", f"/sign-in/with/house/?invite={secret}").status_code == 404


# --- Groups -------------------------------------------------------------------------------------------


def role(login: str) -> str | None:
    return Membership.objects.filter(user__username=login).values_list("role", flat=True).first()


def test_groups_give_roles_and_take_them_back(provider: Provider, cast: Cast) -> None:
    gina = provider.people["gina"]["in_token"]
    round_trip(browser(), "gina")
    assert role("gina") == "annotator"
    gina["groups"] = ["heads", "labellers"]
    round_trip(browser(), "gina")
    assert role("gina") == "owner"
    gina["groups"] = []
    round_trip(browser(), "gina")
    assert role("gina") is None and User.objects.get(username="gina").is_active


def test_roles_given_by_hand_are_left_alone_and_the_last_owner_stays(provider: Provider, cast: Cast) -> None:
    round_trip(browser(), "gina")
    member = Membership.objects.get(user__username="gina")
    people.change_role(project=cast.project, by=cast.olga, membership_id=member.pk, role="reviewer")
    provider.people["gina"]["in_token"]["groups"] = []
    round_trip(browser(), "gina")
    assert role("gina") == "reviewer"
    Membership.objects.filter(pk=member.pk).update(role="owner", given_by="house")
    Membership.objects.filter(user=cast.olga).delete()
    round_trip(browser(), "gina")
    assert role("gina") == "owner"


def test_everybody_who_is_let_in_may_get_a_role(provider: Provider, cast: Cast, settings: Any) -> None:
    configure(settings, provider, groups={"*": {"helpfulness": "viewer"}})
    round_trip(browser(), "nina")
    assert role("nina") == "viewer"
    assert round_trip(browser(), "otto").status_code == 403


# --- What must not get in -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        "signature",
        "unsigned",
        "shared key",
        "key",
        "issuer",
        "audience",
        "expired",
        "subject",
        "no id token",
    ],
)
def test_a_token_that_is_not_as_it_must_be_signs_nobody_in(provider: Provider, wrong: str) -> None:
    provider.wrong, client = wrong, browser()
    reply = round_trip(client, "nina")
    assert reply.status_code == 502 and "does not fit" in reply.content.decode()
    assert not signed_in(client) and not SocialAccount.objects.exists()


def test_an_answer_belongs_to_the_browser_that_asked_and_counts_once(provider: Provider) -> None:
    client = browser()
    away = client.get("/sign-in/with/house/")["Location"]
    back = httpx.post(away, data={"login": "nina"}).headers["Location"].removeprefix("http://testserver")
    stolen = browser()
    assert stolen.get(back).status_code == 502 and not signed_in(stolen)
    assert client.get(back).status_code == 302
    client.post("/sign-out/")
    assert client.get(back).status_code == 502 and not signed_in(client)


def test_turning_back_and_a_provider_that_is_down_are_said(provider: Provider) -> None:
    client = browser()
    away = client.get("/sign-in/with/house/")["Location"]
    back = httpx.post(away, data={"deny": "1"}).headers["Location"].removeprefix("http://testserver")
    assert "cancelled" in client.get(back).content.decode()
    provider.wrong = "down"
    assert client.get("/sign-in/with/house/").status_code == 502


def test_nobody_is_sent_to_another_site(provider: Provider) -> None:
    reply = round_trip(browser(), "nina", "/sign-in/with/house/?next=https://evil.example/")
    assert reply["Location"] == "/projects/"


def test_an_account_that_is_switched_off_stays_out(provider: Provider) -> None:
    round_trip(browser(), "nina")
    User.objects.filter(username="nina").update(is_active=False)
    client = browser()
    assert round_trip(client, "nina").status_code == 403 and not signed_in(client)


# --- Accounts that are there already ------------------------------------------------------------------


def link_address(client: Client) -> str:
    page = client.get("/account/")
    return f"/sign-in/with/house/?link={page.context['linking']}"


def test_an_account_is_linked_and_unlinked_on_its_own_page(provider: Provider, cast: Cast) -> None:
    people.change_password(user=cast.ann, current="", password=PASSWORD)
    client = browser(cast.ann)
    assert round_trip(client, "otto", link_address(client))["Location"] == "/account/"
    newly = browser()
    round_trip(newly, "otto")
    assert newly.get("/account/").context["user"].pk == cast.ann.pk
    account = SocialAccount.objects.get()
    assert browser(cast.bob).post(f"/account/providers/{account.pk}/unlink/").status_code == 302
    assert SocialAccount.objects.exists()
    client.post(f"/account/providers/{account.pk}/unlink/")
    assert not SocialAccount.objects.exists()
    acts = list(AuditEvent.objects.filter(who=cast.ann).values_list("act", flat=True))
    assert "user.linked" in acts and "user.unlinked" in acts


def test_nobody_links_by_an_address_that_the_own_page_did_not_make(provider: Provider, cast: Cast) -> None:
    client = browser(cast.ann)
    client.get("/account/")
    assert client.get("/sign-in/with/house/?link=guessed")["Location"] == "/projects/"
    round_trip(browser(), "nina")
    taken = browser(cast.bob)
    assert round_trip(taken, "nina", link_address(taken)).status_code == 409


def test_who_came_by_the_provider_alone_keeps_it_until_there_is_a_password(provider: Provider) -> None:
    client = browser()
    round_trip(client, "nina")
    client.post(f"/account/providers/{SocialAccount.objects.get().pk}/unlink/")
    assert SocialAccount.objects.exists()


# --- Settings -----------------------------------------------------------------------------------------


def test_settings_name_what_is_wrong_with_them(tmp_path: Path) -> None:
    one = {
        "TOUCHSTONE_OIDC_URL": "https://id.example",
        "TOUCHSTONE_OIDC_ID": "t",
        "TOUCHSTONE_OIDC_DOMAINS": "A.org, b.org",
    }
    [found] = providers_from(one)
    assert (found.key, found.domains) == ("sso", ("a.org", "b.org"))
    listed = [{"key": "a", "name": "A", "url": "https://a.example", "id": "x"}]
    (tmp_path / "providers.json").write_text(json.dumps(listed))
    both = providers_from({**one, "TOUCHSTONE_OIDC_PROVIDERS": str(tmp_path / "providers.json")})
    assert [provider.key for provider in both] == ["sso", "a"]
    assert providers_from({}) == ()
    for wrong, named in (
        ({**one, "TOUCHSTONE_OIDC_ID": ""}, "TOUCHSTONE_OIDC: id"),
        ({**one, "TOUCHSTONE_OIDC_GROUPS": '{"g": {"p": "king"}}'}, "groups.g.p"),
        ({"TOUCHSTONE_OIDC_PROVIDERS": "[{"}, "TOUCHSTONE_OIDC_PROVIDERS: no JSON"),
        ({"TOUCHSTONE_OIDC_PROVIDERS": json.dumps(listed * 2)}, "twice"),
        ({"TOUCHSTONE_OIDC_PROVIDERS": "/nowhere.json"}, "TOUCHSTONE_OIDC_PROVIDERS"),
    ):
        with pytest.raises(ValueError, match=named):
            providers_from(wrong)


def test_claims_may_lie_in_objects() -> None:
    keycloak = {"realm_access": {"roles": ["labellers"]}, "https://x/groups": ["a"]}
    assert claim(keycloak, "realm_access.roles") == ["labellers"]
    assert claim(keycloak, "https://x/groups") == ["a"] and claim(keycloak, "a.b.c") is None


def test_a_removed_project_is_given_to_nobody(provider: Provider, cast: Cast) -> None:
    Project.objects.update(deleted_at="2026-01-01T00:00Z")
    round_trip(browser(), "gina")
    assert role("gina") is None
