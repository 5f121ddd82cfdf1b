"""People at work: everybody for managers, and the own row for everybody."""

from __future__ import annotations

from typing import Any

from curation.models import User
from curation.services import team
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_freezing import answer_all
from tests.test_people import browser


def test_everybody_is_told_to_managers_and_to_each_their_own(cast: Cast) -> None:
    make_pairs(cast.project, 4)
    answer_all(cast, "ann", 1, -2, 1)
    told = calling(cast.mia).get("/api/v1/projects/helpfulness/people").json()
    assert [(row["name"], row["answers"]) for row in told["people"]] == [("ann", 3)]
    assert (told["answers"], told["answers_wanted"], told["forecast"]) == (3, 1, None)
    own = calling(cast.ann).get("/api/v1/projects/helpfulness/me").json()
    assert (own["name"], own["answers"], own["last_seven_days"], own["gone"]) == ("ann", 3, 3, False)
    assert calling(cast.bob).get("/api/v1/projects/helpfulness/me").json()["answers"] == 0
    mine = browser(cast.ann).get("/projects/helpfulness/me/").content.decode()
    assert "Your answers" in mine and "overall: first much better" in mine and "overall: -2" not in mine
    assert "ann" in browser(cast.mia).get("/projects/helpfulness/people/?sort=pace").content.decode()


def test_an_hour_has_a_price_and_an_odd_one_is_refused(cast: Cast) -> None:
    mia, address = browser(cast.mia), "/projects/helpfulness/people/"
    mia.post(address, {"hourly_cost": "19,5"})
    cast.project.refresh_from_db()
    assert cast.project.hourly_cost == 19.5
    assert "Must be an amount" in mia.post(address, {"hourly_cost": "much"}, follow=True).content.decode()


def test_of_many_people_those_with_most_answers_are_told_and_the_rest_by_name(cast: Cast, monkeypatch: Any) -> None:
    monkeypatch.setattr(team, "MOST", 1)
    make_pairs(cast.project, 4)
    answer_all(cast, "ann", 1, -2, 1)
    answer_all(cast, "bob", 1)
    User.objects.filter(username="bob").update(display_name="Robert")
    api = calling(cast.mia)

    def told(query: str = "") -> tuple[list[str], bool]:
        found = api.get(f"/api/v1/projects/helpfulness/people{query}").json()
        return [row["name"] for row in found["people"]], found["more"]

    assert told() == (["ann"], True)
    assert told("?name=rob") == (["Robert"], False) and told("?name=bob") == told("?name=x%00") == ([], False)
    page = browser(cast.mia).get("/projects/helpfulness/people/").content.decode()
    assert "These are the 1 with most answers" in page
    assert "most answers: find" not in browser(cast.mia).get("/projects/helpfulness/people/?q=rob").content.decode()
