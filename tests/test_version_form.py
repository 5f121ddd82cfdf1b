"""The form that asks for a version: everything that the filters take, and what is wrong with it at its field."""

from __future__ import annotations

import struct
from re import search

import pytest

from curation.models import DatasetVersion, Embedding, ModelVersion, Response, Score
from curation.services import freezing, running
from tests.cast import Cast
from tests.imports import bring, row
from tests.test_freezing import answer_all, frozen
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
    assert "1 row from 4 answered pairs." in count.content.decode()
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


# --- What it begins with -----------------------------------------------------------------------------------


def new(cast: Cast) -> str:
    return f"/projects/{cast.project.slug}/datasets/new/"


def voted(cast: Cast, count: int) -> None:
    """Pairs that came with a vote each."""
    bring(cast.project, *(row(str(n), votes=[{"annotator": "w", "value": -1}]) for n in range(count)))
    cast.project.refresh_from_db()


def test_imported_answers_decide_until_most_are_answered_here(cast: Cast) -> None:
    """Also in large projects, of which only the counters are asked."""
    voted(cast, 6)
    assert freezing.usual_deciders(cast.project) == "people" and freezing.only_imported(cast.project) == 6
    answer_all(cast, "ann", 1, 1)
    assert freezing.usual_deciders(cast.project) == "people" and freezing.only_imported(cast.project) == 4
    first = browser(cast.mia).get(new(cast)).content.decode()
    assert '<option value="people" selected>' in first
    answer_all(cast, "ann", 1, 1)
    assert freezing.usual_deciders(cast.project) == "signed-in"
    bring(cast.project, row("5", "another yes", "no 5"))
    assert freezing.only_imported(cast.project) == 1, "a pair that was put away is no pair"


@pytest.mark.parametrize(("done", "chosen"), [(2, "people"), (4, "signed-in")])
def test_of_a_large_project_the_counters_tell(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, done: int, chosen: str
) -> None:
    voted(cast, 6)
    answer_all(cast, "ann", *[1] * done)
    monkeypatch.setattr("curation.services.freezing.proposing.EXACT", 1)
    assert freezing.usual_deciders(cast.project) == chosen


def test_what_only_imports_answered_is_offered_beside_the_count(cast: Cast) -> None:
    voted(cast, 4)
    answer_all(cast, "ann", -1)
    url = f"/projects/{cast.project.slug}/datasets/count/"
    told = browser(cast.mia).get(url, form(cast, annotators="signed-in")).content.decode()
    assert "1 row from 1 answered pair." in told and "3 pairs have answers of imported people only" in told
    assert "Include them" in told
    assert "imported people only" not in browser(cast.mia).get(url, form(cast)).content.decode()


def test_the_count_warns_of_splits_without_rows_and_of_few_rows(cast: Cast) -> None:
    answered(cast, 17)
    url = f"/projects/{cast.project.slug}/datasets/count/"
    few = browser(cast.mia).get(url, form(cast, cap_rows="1", test_share="10")).content.decode()
    assert search("The split (test|train) would have no rows.", few) and "1 row is too few to train on." in few
    many = browser(cast.mia).get(url, form(cast, test_share="50")).content.decode()
    assert "too few" not in many and "no rows" not in many
    version = frozen(cast, splits={"train": 0.5, "test": 0.5})
    rows = version.counts["rows"]
    assert f"train {rows['train']}, test {rows['test']}." in many
    none = browser(cast.mia).get(url, form(cast, names="@zed")).content.decode()
    assert "No rows come out of these choices." in none


def test_the_next_version_begins_with_the_choices_of_the_last(cast: Cast) -> None:
    """Those of the newest version of the dataset that is named, or of the project; of a new name the usual ones."""
    reward, items = model("judge", cast), answered(cast)
    for response in Response.objects.filter(item__in=items):
        Score.objects.create(model=reward, response=response, value=1 - response.position)
    mia = browser(cast.mia)
    told = form(
        cast, annotators="all", test_share="30", seed="7", split_by="item", labels="raw", names="@ann, @bob",
        since="2020-01-01T00:00", score_model=str(reward.pk), score_of="margin", score_min="0.5", cap_rows="3",
        balance_by="item.source", where='[{"field":"item.metadata.topic","op":"eq","value":"code"}]', keep_out="own",
    )  # fmt: skip
    assert mia.post(new(cast), told).status_code == 302
    first = DatasetVersion.objects.get()
    assert choices(again(cast, mia.get(new(cast)).context["form"].initial)) == choices(first)
    other = frozen_as(cast, "other", filters={"annotators": "people"})
    assert mia.get(new(cast)).context["form"].initial["name"] == "other"
    named = mia.get(new(cast), {"name": "prefs"})
    assert "The choices are those of" in named.content.decode()
    assert named.context["form"].initial["seed"] == 7
    assert mia.get(new(cast), {"name": "unheard"}).context["form"].before is None
    assert mia.get(new(cast), {"name": "unheard", "named": "1"}).status_code == 204, "what stands there stays"
    assert mia.get(new(cast), {"fresh": "1"}).context["form"].before is None
    assert other.filters["annotators"] == "people"


def test_what_the_form_has_no_field_for_is_kept_too(cast: Cast) -> None:
    answered(cast)
    made = frozen_as(
        cast,
        "prefs",
        splits={"train": 0.8, "validation": 0.07, "test": 0.13},
        filters={"min_margin": 1, "decontaminate": {"against": ["own"], "ngram": 8}},
    )
    page = browser(cast.mia).get(new(cast))
    assert "train 80, " in page.content.decode() and "min_margin" in page.content.decode()
    assert choices(again(cast, page.context["form"].initial)) == choices(made)
    wrong = form(cast, shares="train 80, test x", further="[]")
    errors = browser(cast.mia).post(new(cast), wrong).context["form"].errors
    assert "is no split with its share" in str(errors["shares"]) and "JSON object" in str(errors["further"])
    wrong = form(cast, further='{"min_margin": 9}')
    assert "further" in browser(cast.mia).post(new(cast), wrong).context["form"].errors


def frozen_as(cast: Cast, name: str, **more: object) -> DatasetVersion:
    return freezing.request_version(project=cast.project, dataset_name=name, user=cast.mia, **more)  # type: ignore[arg-type]


def choices(version: DatasetVersion) -> tuple[object, ...]:
    version.refresh_from_db()  # which has its own order of splits
    shares = list(version.splits.items())
    return version.dataset_id, version.target, version.filters, shares, version.split_by, version.seed


def again(cast: Cast, initial: dict[str, object]) -> DatasetVersion:
    """The version that the form makes as it stands."""
    given = {name: value for name, value in initial.items() if value is not None}
    asked = browser(cast.mia).post(new(cast), {"axis": "overall", **given})
    assert asked.status_code == 302, asked.context["form"].errors
    return DatasetVersion.objects.latest("pk")
