"""Crowd links, as a platform's people meet them: begin, annotate to the quota, the code; and what they cannot do."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from curation.errors import Conflict, Invalid
from curation.models import Annotation, Annotator, AuditEvent, CrowdLink, CrowdPerson, Group, Membership, User
from curation.services import crowd, people
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_people import browser

DESK = "/projects/helpfulness/annotate"


def link(cast: Cast, **fields: Any) -> str:
    """The path of a new link's address."""
    given = {"name": "Pilot", "quota": 2, "most_people": 3, "days": 7, **fields}
    page = browser(cast.mia).post("/projects/helpfulness/members/crowd/", given)
    assert page.status_code == 201, page.content.decode()
    return re.search(r"http://testserver(/crowd/[\w-]+/)", page.content.decode())[1]  # type: ignore[index]


def task_in(reply: Any) -> int | None:
    found = re.search(r'data-task="(\d+)"', reply.content.decode())
    return int(found[1]) if found else None


def next_task(guest: Client, *in_hand: int) -> int | None:
    return task_in(guest.post(f"{DESK}/next/", {"exclude": ",".join(map(str, in_hand))}))


def submit(guest: Client, task: int) -> Any:
    body = {"preferences": [{"axis": "overall", "value": 1}]}
    headers = {"HTTP_IDEMPOTENCY_KEY": f"k{task}"}
    return guest.post(f"/api/v1/tasks/{task}/submit", body, content_type="application/json", **headers)


def test_a_guest_begins_answers_to_the_quota_and_gets_the_code(cast: Cast) -> None:
    make_pairs(cast.project, 5)
    address = link(cast, parameter="PROLIFIC_PID", code="C0FFEE", return_url="https://app.example/done?cc={code}")
    guest, at = Client(), f"{address}?PROLIFIC_PID=5f3a"
    assert guest.get(at).status_code == 200 and not User.objects.filter(kind="guest").exists()  # a look makes nobody
    assert guest.post(at)["Location"] == f"{DESK}/"
    assert "0 of 2 for you" in guest.get(f"{DESK}/").content.decode()
    first = next_task(guest)
    second = next_task(guest, first or 0)
    assert first and second and next_task(guest, first, second) is None  # the hand is as full as the quota
    assert submit(guest, first).json()["progress"] == {"done": 1, "total": 2, "skipped": 0, "left": 1, "queue": ""}
    assert guest.post("/crowd/finish/").status_code == 409
    submit(guest, second)
    rest = guest.post(f"{DESK}/next/").content.decode()
    assert "All done" in rest and "/crowd/finish/" in rest
    guest.post("/crowd/finish/")
    done = guest.get("/crowd/").content.decode()
    assert "C0FFEE" in done and "https://app.example/done?cc=C0FFEE" in done
    person = CrowdPerson.objects.get()
    assert (person.platform_id, person.finished_at is not None) == ("5f3a", True)
    assert Annotation.objects.filter(annotator__user=person.user).count() == 2
    assert "5f3a" not in Annotator.objects.get(user=person.user).name


def test_what_is_done_is_done(cast: Cast) -> None:
    make_pairs(cast.project, 5)
    guest = Client()
    guest.post(link(cast, quota=1))
    made = submit(guest, next_task(guest) or 0).json()["annotation"]["id"]
    guest.post("/crowd/finish/")
    undo = guest.post(f"/api/v1/annotations/{made}/undo", content_type="application/json", HTTP_IDEMPOTENCY_KEY="u")
    assert undo.status_code == 403 and guest.get(f"{DESK}/").status_code == 403
    assert "completion code" in guest.get("/crowd/").content.decode()


def test_the_same_id_is_the_same_annotator_from_any_browser(cast: Cast) -> None:
    make_pairs(cast.project, 5)
    at = f"{link(cast, parameter='workerId')}?workerId=W1"
    first, second = Client(), Client()
    first.post(at)
    submit(first, next_task(first) or 0)
    second.post(at)
    assert "1 of 2 for you" in second.get(f"{DESK}/").content.decode()
    assert CrowdPerson.objects.count() == 1 and CrowdLink.objects.get().person_count == 1
    assert Client().post(link(cast, parameter="workerId", name="No id")).status_code == 422
    assert Client().post(f"{at.split('?')[0]}?workerId=<script>").status_code == 422


def test_a_second_link_counts_its_own_answers(cast: Cast) -> None:
    make_pairs(cast.project, 6)
    first, second = (f"{link(cast, parameter='workerId', name=name)}?workerId=W1" for name in ("One", "Two"))
    guest = Client()
    guest.post(first)
    guest.post(second)
    assert CrowdPerson.objects.count() == 1  # the first is not finished
    for _ in range(2):
        submit(guest, next_task(guest) or 0)
    guest.post("/crowd/finish/")
    guest.post(second)
    assert "0 of 2 for you" in guest.get(f"{DESK}/").content.decode() and next_task(guest)
    assert CrowdPerson.objects.values("user").distinct().count() == 1


def test_without_an_id_the_browser_is_the_person(cast: Cast) -> None:
    make_pairs(cast.project, 3)
    address, guest = link(cast), Client()
    for _ in range(2):
        guest.post(address)
    assert CrowdPerson.objects.count() == 1
    codes = {crowd.begin(CrowdLink.objects.get()).code for _ in range(2)}
    assert len(codes) == 2 and all(re.fullmatch(r"[A-Z2-9]{10}", code) for code in codes)


def test_nobody_new_begins_when_it_is_full_closed_or_over_but_who_has_begun_goes_on(cast: Cast) -> None:
    make_pairs(cast.project, 3)
    address = link(cast, most_people=1)
    guest = Client()
    guest.post(address)
    assert "no more room" in Client().post(address).content.decode()
    made = CrowdLink.objects.get()
    CrowdLink.objects.update(most_people=9)
    crowd.close(made)
    assert Client().post(address).status_code == 409
    crowd.reopen(made)
    CrowdLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert Client().post(address).status_code == 409
    assert guest.post(address).status_code == 302 and next_task(guest)
    assert Client().get("/crowd/guessed/").status_code == 302  # as a stranger to the sign-in page


def test_one_network_begins_so_often_an_hour(cast: Cast, settings: Any) -> None:
    settings.CROWD_PER_HOUR = 2
    address = link(cast)
    assert [Client(REMOTE_ADDR=f"192.0.2.{n}").post(address).status_code for n in range(3)] == [302, 302, 429]
    assert Client(REMOTE_ADDR="198.51.100.1").post(address).status_code == 302
    assert set(CrowdPerson.objects.values_list("address", flat=True)) == {"192.0.2.0/24", "198.51.100.0/24"}


@pytest.mark.django_db(transaction=True)
def test_of_five_at_once_as_many_begin_as_there_is_room_for(cast: Cast) -> None:
    made, _ = crowd.make_link(project=cast.project, by=cast.mia, name="P", quota=1, most_people=2, days=1)

    def begin(_: int) -> bool:
        try:
            crowd.begin(made)
        except Conflict:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(begin, range(5))) == 2
    made.refresh_from_db()
    assert made.person_count == made.people.count() == 2


def test_a_manager_sees_accepts_and_excludes_them(cast: Cast) -> None:
    make_pairs(cast.project, 3)
    at = f"{link(cast, parameter='workerId')}?workerId=W7"
    guest, other = Client(), Client()
    guest.post(at)
    other.post(at.replace("W7", "W8"))
    submit(guest, next_task(guest) or 0)
    made = CrowdLink.objects.get()
    root = f"/projects/helpfulness/members/crowd/{made.pk}"
    page = browser(cast.mia).get(f"{root}/").content.decode()
    assert "W7" in page and "1 of 2" in page
    seven, eight = CrowdPerson.objects.order_by("pk")
    browser(cast.mia).post(f"{root}/complete/", {"person": seven.pk})
    assert seven.code in guest.get("/crowd/").content.decode()
    browser(cast.mia).post(f"{root}/exclude/", {"person": eight.pk})
    assert other.get(f"{DESK}/").status_code == 302  # nobody any more
    assert other.post(at.replace("W7", "W8")).status_code == 403
    assert Annotation.objects.count() == 1
    assert "@guest-" not in browser(cast.mia).get("/projects/helpfulness/members/").content.decode()
    acts = set(AuditEvent.objects.filter(act__startswith="crowd.").values_list("act", flat=True))
    assert acts == {"crowd.made", "crowd.joined", "crowd.finished", "crowd.excluded"}


def test_links_and_people_over_the_api(cast: Cast) -> None:
    client = calling(cast.mia)
    root = "/api/v1/projects/helpfulness/crowd"
    made = client.post(root, {"name": "Pilot", "quota": 1, "most_people": 5, "parameter": "workerId"})
    assert made.status_code == 201 and made.json()["open"] is True
    Client().post(f"{made.json()['url'].removeprefix('http://testserver')}?workerId=W1")
    [person] = client.get(f"{root}/{made.json()['id']}/people").json()["results"]
    assert (person["platform_id"], person["done"], person["finished_at"]) == ("W1", 0, None)
    assert client.patch(f"{root}/{made.json()['id']}", {"open": False}).json()["open"] is False
    assert "url" not in client.get(root).json()["results"][0]


def test_a_link_is_refused_that_leads_nowhere(cast: Cast) -> None:
    good = {"project": cast.project, "by": cast.mia, "name": "P", "quota": 1, "most_people": 1, "days": 1}
    for field, value in (
        ("return_url", "http://plain.example/{code}"),
        ("return_url", "javascript:alert(1)"),
        ("parameter", "a b"),
        ("code", "<b>"),
        ("quota", 0),
        ("days", 91),
        ("name", " "),
    ):
        with pytest.raises(Invalid) as refused:
            crowd.make_link(**{**good, field: value})  # type: ignore[arg-type]
        assert refused.value.field == field


def test_who_has_an_account_does_not_become_a_guest(cast: Cast) -> None:
    client = browser(cast.ann)
    assert client.post(link(cast)).status_code == 409 and not CrowdPerson.objects.exists()


# --- Groups -------------------------------------------------------------------------------------------


def test_invites_and_crowd_links_put_their_people_into_a_group(cast: Cast) -> None:
    group = Group.objects.create(project=cast.project, name="German")
    other = Group.objects.create(project=cast.project.__class__.objects.create(slug="o", name="O"), name="Foreign")
    page = browser(cast.mia).get("/projects/helpfulness/members/").content.decode()
    assert "German" in page and "Foreign" not in page
    form = {"role": "annotator", "days": 7, "uses": 2, "group": group.pk}
    made = browser(cast.mia).post("/projects/helpfulness/members/invites/", form).content.decode()
    joining = re.search(r"http://testserver(/join/[^<]+/)", made)[1]  # type: ignore[index]
    browser(cast.zed).post(joining)
    browser(cast.ann).post(joining)  # a member already, who gains the group
    Client().post(link(cast, group=group.pk))
    names = set(group.members.values_list("name", flat=True))
    assert {"@zed", "@ann"} < names and len(names) == 3
    assert Membership.objects.get(user=cast.ann).role == "annotator"
    for wrong in ({"role": "viewer", "group": group}, {"role": "annotator", "group": other}):
        with pytest.raises(Invalid):
            people.make_invite(project=cast.project, by=cast.mia, **wrong)  # type: ignore[arg-type]
