"""Comments reach whom they are for, and nobody learns from them what others answered."""

from __future__ import annotations

import pytest
from django.utils import timezone

from curation.errors import Forbidden, Invalid, NotFound
from curation.models import Comment, Item, Membership, Mention, User
from curation.services import commenting
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_assigning import reserve
from tests.test_people import browser


@pytest.fixture
def item(cast: Cast) -> Item:
    return make_pairs(cast.project, 1)[0].pair.item


def test_a_name_tells_who_may_read_and_nobody_else(cast: Cast, item: Item) -> None:
    text = "Ask @rita, @vic. and @ann, not mail@mia.example or @nobody"
    made = commenting.write(item=item, user=cast.mia, text=text)
    assert {one.username for one in made.told} == {"rita", "vic"} and made.untold == ["ann", "nobody"]
    assert commenting.unread(cast.rita) == 1 and commenting.unread(cast.ann) == 0
    [mention], _ = commenting.inbox(cast.rita)
    assert mention.comment == made.comment and commenting.read(cast.rita) == 1 == 1 - commenting.unread(cast.rita)


def test_an_annotator_sees_the_own_and_the_replies_and_nothing_else(cast: Cast, item: Item) -> None:
    cast.project.overlap = 2
    cast.project.save()
    item.pairs.get().tasks.update(overlap=2)
    task = reserve(cast, "ann").task_id
    reserve(cast, "bob")
    hidden = commenting.write(item=item, user=cast.bob, text="The second is wrong").comment
    call = calling(cast.ann)
    address = f"/api/v1/tasks/{task}/comments"
    own = call.post(address, {"text": "A typo, @mia?"}, format="json").json()
    assert own["told"] == ["mia"]
    stolen = call.post(address, {"text": "Why?", "reply_to": hidden.pk}, format="json")
    assert stolen.status_code == 422 and stolen.json()["errors"][0]["field"] == "reply_to"
    commenting.write(item=item, user=cast.mia, text="Thanks", reply_to=own["id"])
    commenting.write(item=item, user=cast.mia, text="@rita, ann is right")
    seen = [one["text"] for one in call.get(address).json()["results"]]
    assert seen == ["A typo, @mia?", "Thanks"]
    page = browser(cast.ann).get(f"/projects/{cast.project.slug}/annotate/tasks/{task}/comments/").content.decode()
    assert "Thanks" in page and "wrong" not in page and "is right" not in page
    assert "Thanks" in browser(cast.ann).get("/inbox/").content.decode() and commenting.unread(cast.ann) == 1
    assert calling(cast.ann).get(f"/api/v1/projects/{cast.project.slug}/items/{item.pk}/comments").status_code == 403
    other = make_pairs(cast.project, 1)[0]
    with pytest.raises(NotFound):
        commenting.item_for(cast.ann, other.pk)


def test_who_reads_answers_reads_all_and_the_page_writes(cast: Cast, item: Item) -> None:
    client, root = browser(cast.vic), f"/projects/{cast.project.slug}/items/{item.pk}/"
    sent = client.post(f"{root}comments/", {"text": "<b>Look</b> @mia and @zed"}, follow=True).content.decode()
    assert "&lt;b&gt;Look&lt;/b&gt;" in sent and "mia will find it" in sent and "Not told: @zed" in sent
    header = browser(cast.mia).get("/projects/").content.decode()
    assert 'aria-label="Inbox, 1 unread"' in header
    browser(cast.mia).post("/inbox/")
    assert "unread" not in browser(cast.mia).get("/projects/").content.decode()
    shown = calling(cast.rita).get(f"/api/v1/projects/{cast.project.slug}/items/{item.pk}/comments").json()
    assert [one["author"] for one in shown["results"]] == ["vic"]


def test_comments_are_removed_by_their_author_or_a_manager(cast: Cast, item: Item) -> None:
    made = commenting.write(item=item, user=cast.vic, text="@rita").comment
    with pytest.raises(Forbidden):
        commenting.remove(project=cast.project, user=cast.rita, comment_id=made.pk)
    commenting.remove(project=cast.project, user=cast.mia, comment_id=made.pk)
    assert not Mention.objects.exists() and commenting.on(item, cast.mia) == []
    assert Comment.objects.get().text == "@rita"
    with pytest.raises(Invalid):
        commenting.write(item=item, user=cast.vic, text=" ")


def test_who_has_left_is_told_nothing(cast: Cast, item: Item) -> None:
    commenting.write(item=item, user=cast.mia, text="@rita")
    Membership.objects.filter(user=cast.rita).delete()
    assert commenting.inbox(cast.rita)[0] == []
    assert commenting.write(item=item, user=cast.mia, text="@rita").untold == ["rita"]


def test_only_those_who_may_read_the_project_can_be_named(cast: Cast, item: Item) -> None:
    Membership.objects.filter(user=cast.vic).update(deactivated_at=timezone.now())
    User.objects.filter(pk=cast.rita.pk).update(is_active=False)
    made = commenting.write(item=item, user=cast.mia, text="@olga @vic @rita @ann @zed @nobody")
    assert [one.username for one in made.told] == ["olga"]
    assert made.untold == ["vic", "rita", "ann", "zed", "nobody"], "those of elsewhere are as unknown as nobody is"
