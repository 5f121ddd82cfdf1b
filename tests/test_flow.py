"""The whole line on one page: import, assign, annotate, freeze, pull. Read this first."""

from __future__ import annotations

import orjson
import pytest

from curation.models import Role, User
from curation.services import people, projects
from tests.calling import Caller
from tests.cast import token_for

PAIRS = [
    {"id": f"q{n}", "prompt": f"What is {n} + {n}?", "responses": [f"It is {2 * n}.", f"It is {2 * n + 1}."]}
    for n in range(1, 7)
]


@pytest.mark.django_db(transaction=True)
def test_from_a_file_of_pairs_to_a_file_for_a_trainer(live_server: object) -> None:
    url = str(live_server)
    olga = User.objects.create_superuser("olga")
    project = projects.create_project(slug="sums", name="Sums", user=olga, preset="pairwise")
    owner = Caller(url, token_for(olga))

    # import: the good rows land, the bad one is named
    body = b"\n".join(orjson.dumps(row) for row in PAIRS) + b'\n{"id": "bad", "prompt": "?", "responses": ["x", "x"]}\n'
    owner.connection.request(
        "POST", "/api/v1/projects/sums/import", body, owner.headers | {"Content-Type": "text/plain"}
    )
    run = orjson.loads(owner.connection.getresponse().read())
    assert run["state"] == "succeeded", run
    assert (run["result"]["created"], run["result"]["rejected"], run["result"]["problems"][0]["line"]) == (6, 1, 7)

    # assign and annotate: ann joins by an invite, and prefers what is right
    _, secret = people.make_invite(project=project, role=Role.ANNOTATOR, by=olga)
    ann = User.objects.create_user("ann")
    people.accept_invite(secret=secret, user=ann)
    desk = Caller(url, token_for(ann))
    for n in range(6):
        _, found = desk("POST", "projects/sums/tasks/next", {})
        asked = int(found["task"]["prompt"][-1]["content"].split()[2])
        left_is_right = found["task"]["responses"][0]["text"] == f"It is {2 * asked}."
        answer = {"preferences": [{"axis": "overall", "value": -2 if left_is_right else 2}], "active_ms": 900}
        status, done = desk("POST", f"tasks/{found['task']['id']}/submit", answer, **{"Idempotency-Key": f"k{n}"})
        assert status == 200 and done["progress"]["done"] == n + 1
    assert desk("POST", "projects/sums/tasks/next", {})[0] == 204

    # freeze: a run makes version 1
    status, run = owner("POST", "projects/sums/datasets/sums/versions", {"splits": {"train": 1.0}})
    assert status == 202
    from curation.services import running

    running.execute(run["id"])
    _, version = owner("GET", "projects/sums/datasets/sums/versions/1")
    assert version["state"] == "ready" and version["counts"]["rows"] == {"train": 6}

    # pull: every chosen answer is the right one, every row is traced
    owner.connection.request("GET", version["files"][-2]["url"], headers=owner.headers)
    rows = [orjson.loads(line) for line in owner.connection.getresponse().read().splitlines()]
    assert len(rows) == 6
    for row in rows:
        asked = int(row["prompt"][0]["content"].split()[2])
        assert row["chosen"][0]["content"] == f"It is {2 * asked}."
