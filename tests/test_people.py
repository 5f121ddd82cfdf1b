"""Signing in, invites, roles, tokens and the own account; through the pages, as people meet them."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from curation.api.auth import live_token
from curation.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from curation.models import ApiToken, Invite, Membership, Project, Role, SignInLink, User
from curation.services import people
from tests.cast import Cast

PASSWORD = "correct horse 9"


def browser(user: User | None = None, **options: object) -> Client:
    client = Client(**options)
    if user is not None:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def signed_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


@pytest.fixture
def ann(cast: Cast) -> User:
    people.change_password(user=cast.ann, current="", password=PASSWORD)
    return cast.ann


# --- Signing in ---------------------------------------------------------------------------------------


def test_a_password_signs_in_and_leads_where_one_wanted_to_go(cast: Cast, ann: User) -> None:
    client = browser()
    turned_away = client.get(f"/projects/{cast.project.slug}/")
    assert turned_away.status_code == 302
    reply = client.post(turned_away["Location"], {"username": "ann", "password": PASSWORD, "next": "/account/"})
    assert reply["Location"] == "/account/" and signed_in(client)


def test_another_site_is_never_the_next_page(ann: User) -> None:
    reply = browser().post("/sign-in/?next=https://evil.example/", {"username": "ann", "password": PASSWORD})
    assert reply["Location"] == "/projects/"


def test_guessing_passwords_is_stopped_with_a_clear_text(ann: User, settings: object) -> None:
    client = browser()
    for _ in range(settings.AXES_FAILURE_LIMIT):  # type: ignore[attr-defined]
        locked = client.post("/sign-in/", {"username": "ann", "password": "wrong wrong"})
    assert locked.status_code == 429 and "Too many attempts" in locked.content.decode()
    assert client.post("/sign-in/", {"username": "ann", "password": PASSWORD}).status_code == 429
    assert not signed_in(client)


def test_a_sign_in_link_works_once(cast: Cast) -> None:
    secret = people.make_sign_in_link(user=cast.ann)
    first, second = browser(), browser()
    assert first.head(f"/sign-in/{secret}/").status_code == 200 and not signed_in(first)
    first.get(f"/sign-in/{secret}/")
    assert signed_in(first)
    refused = second.get(f"/sign-in/{secret}/")
    assert refused.status_code == 404 and "no longer works" in refused.content.decode() and not signed_in(second)


@pytest.mark.parametrize("why", ["expired", "inactive", "unknown"])
def test_a_sign_in_link_that_may_not_be_used_signs_nobody_in(cast: Cast, why: str) -> None:
    secret = people.make_sign_in_link(user=cast.ann)
    if why == "expired":
        SignInLink.objects.update(expires_at=timezone.now())
    elif why == "inactive":
        User.objects.filter(pk=cast.ann.pk).update(is_active=False)
    else:
        secret += "x"
    client = browser()
    assert client.get(f"/sign-in/{secret}/").status_code == 404 and not signed_in(client)


def test_signing_out_needs_a_post(ann: User) -> None:
    client = browser(ann)
    assert client.get("/sign-out/").status_code == 405 and signed_in(client)
    client.post("/sign-out/")
    assert not signed_in(client)


# --- Invites ------------------------------------------------------------------------------------------


def invite_link(cast: Cast, **fields: object) -> str:
    form = {"role": "annotator", "days": 7, "uses": 1, **fields}
    page = browser(cast.mia).post(f"/projects/{cast.project.slug}/members/invites/", form)
    assert page.status_code == 201, page.content.decode()
    found = re.search(r"http://testserver(/join/[^<]+/)", page.content.decode())
    assert found is not None
    return found[1]


def test_a_newcomer_joins_by_an_invite_and_is_signed_in(cast: Cast) -> None:
    link, client = invite_link(cast, role="reviewer"), browser()
    assert "reviewer" in client.get(link).content.decode()
    reply = client.post(link, {"username": "nina", "display_name": "Nina", "password": PASSWORD})
    assert reply["Location"] == f"/projects/{cast.project.slug}/"
    assert Membership.objects.get(user__username="nina").role == Role.REVIEWER
    assert client.get(reply["Location"]).status_code == 200


def test_a_refused_newcomer_leaves_no_user_and_uses_nothing_up(cast: Cast) -> None:
    link, before = invite_link(cast), User.objects.count()
    for wrong in (
        {"username": "nina", "password": "password"},
        {"username": "ann", "password": PASSWORD},
        {"username": "a b", "password": PASSWORD},
    ):
        assert browser().post(link, wrong).status_code == 422
    assert User.objects.count() == before and Invite.objects.get().uses_left == 1


def test_a_user_accepts_with_one_button_and_the_invite_is_used_up(cast: Cast) -> None:
    link = invite_link(cast)
    browser(cast.zed).post(link)
    assert Membership.objects.get(user=cast.zed).role == Role.ANNOTATOR
    assert browser().get(link).status_code == 404


def test_an_invite_never_lowers_a_role_nor_is_used_up_by_who_gains_nothing(cast: Cast) -> None:
    link = invite_link(cast, role="viewer")
    browser(cast.rita).post(link)
    assert Membership.objects.get(user=cast.rita).role == Role.REVIEWER
    assert Invite.objects.get().uses_left == 1


def test_an_expired_or_withdrawn_invite_says_so(cast: Cast) -> None:
    link = invite_link(cast)
    invite = Invite.objects.get()
    Invite.objects.update(expires_at=timezone.now())
    assert "no longer works" in browser().get(link).content.decode()
    Invite.objects.update(expires_at=timezone.now() + timedelta(days=1))
    assert browser().get(link).status_code == 200
    browser(cast.mia).post(f"/projects/{cast.project.slug}/members/invites/{invite.pk}/withdraw/")
    assert browser().post(link, {"username": "nina", "password": PASSWORD}).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_an_invite_for_two_lets_in_two_of_five_at_once(cast: Cast) -> None:
    _, secret = people.make_invite(project=cast.project, by=cast.olga, role="viewer", uses=2)
    users = [User.objects.create_user(f"n{n}") for n in range(5)]

    def accept(user: User) -> bool:
        try:
            people.accept_invite(secret=secret, user=user)
        except NotFound:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(accept, users)) == 2
    assert Membership.objects.filter(user__in=users).count() == 2


def test_only_owners_invite_owners(cast: Cast) -> None:
    with pytest.raises(Forbidden):
        people.make_invite(project=cast.project, by=cast.mia, role="owner")
    assert "owner" not in [value for value, _ in offered_roles(cast.mia, cast.project)]
    assert "owner" in [value for value, _ in offered_roles(cast.olga, cast.project)]


def offered_roles(user: User, project: Project) -> list[tuple[str, str]]:
    page = browser(user).get(f"/projects/{project.slug}/members/").content.decode()
    invite = page[page.index('id="invite"') :]
    return re.findall(r'<option value="(\w+)"[^>]*>([^<]+)', invite)


# --- Members ------------------------------------------------------------------------------------------


def member(cast: Cast, name: str) -> Membership:
    return Membership.objects.get(user=cast.people[name])


def test_a_manager_changes_roles_but_no_owner(cast: Cast) -> None:
    url = f"/projects/{cast.project.slug}/members/{member(cast, 'ann').pk}/"
    browser(cast.mia).post(url, {"role": "reviewer"})
    assert member(cast, "ann").role == Role.REVIEWER
    browser(cast.mia).post(url, {"role": "owner"})
    assert member(cast, "ann").role == Role.REVIEWER
    browser(cast.mia).post(f"/projects/{cast.project.slug}/members/{member(cast, 'olga').pk}/", {"remove": "yes"})
    assert member(cast, "olga").role == Role.OWNER


def test_the_last_owner_can_neither_leave_nor_step_down(cast: Cast) -> None:
    last = member(cast, "olga").pk
    for change in (
        lambda: people.remove_member(project=cast.project, by=cast.olga, membership_id=last),
        lambda: people.change_role(project=cast.project, by=cast.olga, membership_id=last, role="viewer"),
    ):
        with pytest.raises(Conflict):
            change()
    people.change_role(project=cast.project, by=cast.olga, membership_id=member(cast, "mia").pk, role="owner")
    people.remove_member(project=cast.project, by=cast.olga, membership_id=last)
    assert not Membership.objects.filter(pk=last).exists()


def test_a_member_of_another_project_cannot_be_changed_through_this_one(cast: Cast) -> None:
    other = Project.objects.create(slug="other", name="Other")
    theirs = Membership.objects.create(project=other, user=cast.zed, role=Role.VIEWER)
    with pytest.raises(NotFound):
        people.change_role(project=cast.project, by=cast.olga, membership_id=theirs.pk, role="manager")


def test_a_removed_member_is_a_stranger_at_once(cast: Cast) -> None:
    client = browser(cast.ann)
    assert client.get(f"/projects/{cast.project.slug}/").status_code == 200
    people.remove_member(project=cast.project, by=cast.mia, membership_id=member(cast, "ann").pk)
    assert client.get(f"/projects/{cast.project.slug}/").status_code == 404


# --- Tokens and account -------------------------------------------------------------------------------


def test_a_token_is_shown_once_and_works_until_it_is_revoked(cast: Cast) -> None:
    client = browser(cast.ann)
    page = client.post("/account/tokens/", {"name": "script", "scopes": ["read"], "days": "90"})
    assert (
        page.status_code == 201 and page["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    )
    secret = re.search(r'id="secret">(ts_[\w-]+)<', page.content.decode())[1]  # type: ignore[index]
    assert secret not in client.get("/account/tokens/").content.decode()
    token = live_token(secret)
    assert token is not None and token.user.pk == cast.ann.pk and token.scopes == ["read"]
    client.post(f"/account/tokens/{token.pk}/revoke/")
    assert live_token(secret) is None


def test_nobody_revokes_the_token_of_another(cast: Cast) -> None:
    token, secret = people.issue_token(user=cast.ann, name="mine", scopes=["read"], expires_at=None)
    assert browser(cast.bob).post(f"/account/tokens/{token.pk}/revoke/").status_code == 404
    assert live_token(secret) is not None


def test_a_token_without_scope_name_or_future_is_refused(cast: Cast) -> None:
    good = {"user": cast.ann, "name": "n", "scopes": ["read"], "expires_at": None}
    for wrong in ({"scopes": []}, {"scopes": ["all"]}, {"name": " "}, {"expires_at": timezone.now()}):
        with pytest.raises(Invalid):
            people.issue_token(**{**good, **wrong})  # type: ignore[arg-type]
    assert not ApiToken.objects.exists()


def test_a_changed_password_needs_the_old_one_and_keeps_this_browser_signed_in(ann: User) -> None:
    client = browser(ann)
    wrong = {"action": "password", "password-current": "no", "password-password": "another horse 8"}
    assert client.post("/account/", wrong).status_code == 422
    client.post("/account/", {**wrong, "password-current": PASSWORD})
    assert signed_in(client) and User.objects.get(pk=ann.pk).check_password("another horse 8")


def test_passwords_are_kept_with_argon2(ann: User) -> None:
    assert User.objects.get(pk=ann.pk).password.startswith("argon2")


def test_the_theme_is_saved_and_stands_on_every_page(cast: Cast) -> None:
    client = browser(cast.ann)
    assert client.post("/account/theme/", {"theme": "dark", "next": "/account/"})["Location"] == "/account/"
    assert 'data-theme="dark"' in client.get("/projects/").content.decode()
    assert client.post("/account/theme/", {"theme": "pink"}).status_code == 422
    assert client.post("/account/theme/", {"theme": "auto"}, HTTP_ACCEPT="application/json").status_code == 204


def test_a_change_without_a_csrf_token_is_refused(cast: Cast) -> None:
    client = browser(cast.ann, enforce_csrf_checks=True)
    assert client.post("/account/theme/", {"theme": "dark"}).status_code == 403


# --- Commands -----------------------------------------------------------------------------------------


def said(*arguments: str, **options: object) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def test_create_user_prints_a_link_that_signs_in(db: None) -> None:
    link = re.search(r"http://t.example(/sign-in/\S+/)", said("create_user", "nina", url="http://t.example"))
    client = browser()
    client.get(link[1])  # type: ignore[index]
    assert signed_in(client)
    with pytest.raises(CommandError, match="username"):
        said("create_user", "nina")


def test_create_token_prints_nothing_but_the_token(cast: Cast) -> None:
    printed = said("create_token", "ann", "--scopes", "read", "--days", "3").strip()
    token = live_token(printed)
    assert token is not None and token.scopes == ["read"]
    with pytest.raises(CommandError, match="create_user nobody"):
        said("create_token", "nobody")


def test_sign_in_link_needs_a_user_that_is_there(cast: Cast) -> None:
    assert "/sign-in/" in said("sign_in_link", "ann")
    with pytest.raises(CommandError):
        said("sign_in_link", "nobody")


def test_what_is_refused_is_told_beside_its_field(cast: Cast) -> None:
    for call, field in (
        (lambda: people.create_user(username="ann", password=PASSWORD), "username"),
        (lambda: people.create_user(username="nina", password="short"), "password"),
        (lambda: people.make_invite(project=cast.project, by=cast.olga, role="viewer", days=0), "days"),
        (lambda: people.make_invite(project=cast.project, by=cast.olga, role="king"), "role"),
    ):
        with pytest.raises(DomainError) as refused:
            call()
        assert refused.value.field == field
