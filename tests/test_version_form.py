"""The form that asks for a version: everything that the filters take, and what is wrong with it at its field."""

from __future__ import annotations

import struct

import pytest

from curation.models import DatasetVersion, Embedding, ModelVersion, Response, Score
from curation.services import running
from tests.cast import Cast
from tests.test_people import browser
from tests.test_selecting import answered, model


def form(cast: Cast, **more: str) -> dict[str, str]:
    said = {"name": "prefs", "target": "trl-preference", "test_share": "0", "seed": "0", "annotators": "people"}
    return said | {"axis": "overall"} | more


def test_the_form_asks_for_all_of_it(cast: Cast) -> None:
    reward, items = model("judge", cast), answered(cast)
    for response in Response.objects.filter(item__in=items):
        Score.objects.create(model=reward, response=response, value=1 - response.position)
    told = form(
        cast,
        labels="raw",
        names="@ann, @bob",
        not_names="@zed",
        since="2020-01-01T00:00",
        until="2099-01-01T00:00",
        split_by="item",
        score_model=str(reward.pk),
        score_of="margin",
        score_min="0.5",
        cap_prompt="3",
        cap_rows="1",
        balance_by="item.source",
        where='[{"field": "item.metadata.topic", "op": "in", "value": ["code"]}]',
    )
    url, mia = f"/projects/{cast.project.slug}/datasets/new/", browser(cast.mia)
    count = mia.get(f"/projects/{cast.project.slug}/datasets/count/", told)
    assert count.content.decode().strip() == "1 row from 4 answered pairs."
    assert mia.post(url, told).status_code == 302
    version = DatasetVersion.objects.get()
    running.execute(str(version.run_id))
    version.refresh_from_db()
    assert version.counts["total"] == 1 and version.split_by == "item" and version.filters["labels"] == "raw"
    assert version.filters["names"] == ["@ann", "@bob"] and version.filters["caps"] == {"per_prompt": 3, "rows": 1}


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"where": "[{"}, "where", "Is not JSON"),
        ({"where": '[{"field": "item.x", "op": "eq", "value": 1}]'}, "where", "0.field: is no field"),
        ({"where": '{"a": 1}'}, "where", "list"),
        ({"balance_by": "prompt.text"}, "balance_by", "cannot be balanced"),
        ({"score_min": "1"}, "score_model", "is no model"),
        ({"since": "2026-01-02T00:00", "until": "2026-01-01T00:00"}, "", "since must be before until"),
        ({"keep_out": "own, nowhere"}, "keep_out", "must be one of: own, "),
        ({"split_by": "colour"}, "split_by", "Select a valid choice"),
    ],
)
def test_the_form_tells_what_is_wrong_at_its_field(cast: Cast, wrong: dict[str, str], field: str, words: str) -> None:
    reply = browser(cast.mia).post(f"/projects/{cast.project.slug}/datasets/new/", form(cast, **wrong))
    assert reply.status_code == 422 and not DatasetVersion.objects.exists()
    errors = reply.context["form"].errors[field or "__all__"]
    assert words in " ".join(errors) and '<details class="card" open>' in reply.content.decode()


def test_the_count_tells_what_is_wrong(cast: Cast) -> None:
    told = form(cast, where='[{"field": "item.x", "op": "eq", "value": "<b>"}]')
    count = browser(cast.mia).get(f"/projects/{cast.project.slug}/datasets/count/", told)
    assert count.status_code == 200 and "filters.where.0.field" in count.content.decode()


def test_what_is_near_by_vectors_is_kept_out_too(cast: Cast) -> None:
    items = answered(cast)
    url, mia = f"/projects/{cast.project.slug}/datasets/new/", browser(cast.mia)
    assert "keep_out_by" not in mia.get(url).content.decode(), "there is no embedder"
    embedder = model("seer", cast)
    ModelVersion.objects.update(kind="embedder")
    given = form(cast, keep_out="own", keep_out_by=str(embedder.pk), keep_out_near="0.95")
    assert "no prompt has a vector of it" in mia.post(url, given).content.decode()
    Embedding.objects.create(model=embedder, item=items[0], vector=struct.pack("<2e", 1, 0))
    assert mia.post(url, given).status_code == 302
    told = DatasetVersion.objects.get().filters["decontaminate"]
    assert (told["against"], told["embedder"], told["embedding"]) == (["own"], embedder.pk, 0.95)
