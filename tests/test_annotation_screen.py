"""The addresses behind the annotation screen: odd numbers, whose screen it is, and that nothing is kept in a cache."""

from curation.models import Task
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_people import browser

HUGE = "9" * 30


def root(cast: Cast) -> str:
    return f"/projects/{cast.project.slug}/annotate/"


def test_numbers_that_no_database_knows_are_no_fault(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    asked = browser(cast.ann).post(f"{root(cast)}next/", {"exclude": f"{HUGE},x,-1,²"})
    assert asked.status_code == 200 and f'data-task="{Task.objects.get().pk}"' in asked.content.decode()
    assert browser(cast.ann).get(f"{root(cast)}tasks/{HUGE}/").status_code == 404
    for address in (f"tasks/{HUGE}/submit", f"tasks/{HUGE}/release", f"annotations/{HUGE}/undo"):
        assert calling(cast.ann).post(f"/api/v1/{address}", {}, headers={"idempotency-key": "k"}).status_code == 404


def test_the_browser_keeps_no_page_of_it(cast: Cast) -> None:
    for address in (root(cast), f"{root(cast)}last/"):
        assert "no-store" in browser(cast.ann).get(address)["Cache-Control"]


def test_it_says_whose_screen_it_is(cast: Cast) -> None:
    scopes = [browser(user).get(f"{root(cast)}last/").json()["scope"] for user in (cast.ann, cast.bob)]
    assert len(set(scopes)) == 2
    assert f'data-scope="{scopes[0]}"' in browser(cast.ann).get(root(cast)).content.decode()
