"""The pages of runs: as they go, when shards were set aside, and the form that starts one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pydantic import Field, field_validator

from curation.models import Item, ModelVersion, Response, Run, RunLine, Score, Shard
from curation.services import methods, pacing, scored, starting
from curation.services.method import Method, Params
from tests.cast import Cast, make_pairs
from tests.judging import finish
from tests.sharded import break_down, through
from tests.test_freezing import answer_all
from tests.test_people import browser

P = "/projects/helpfulness/runs/"


@pytest.fixture
def length(cast: Cast) -> ModelVersion:
    return ModelVersion.objects.create(
        name="length", kind="reward", reference="program:length", state=ModelVersion.State.READY
    )


def scoring(cast: Cast, model: ModelVersion, **params: Any) -> Run:
    return starting.start(
        project=cast.project, method="score", params={"model": model.pk, **params}, user=cast.olga, seed=7
    )


def shard_row(run: Run, number: int, state: str, **fields: Any) -> Shard:
    return Shard(run=run, number=number, size=10, state=state, **fields)


def at_work(cast: Cast, count: int = 4) -> Run:
    """A run of `count` shards: one set aside, one at work at 4 of 10 rows, two minutes old, the others done."""
    now = timezone.now()
    began = now - timedelta(seconds=120)
    run = Run.objects.create(
        project=cast.project, method="score", state="running", phase="work", unit="items", started_at=began,
        total=10 * count, done=10 * (count - 2), shards_total=count, shards_done=count - 2, shards_failed=1,
        tokens=100 * (count - 2), cpu_seconds=90, params={"model": 1},
    )  # fmt: skip
    moments = {"started_at": now - timedelta(seconds=20), "ended_at": now - timedelta(seconds=10)}
    rows = [shard_row(run, n, "done", done=10, **moments) for n in range(count - 2)]
    rows.append(shard_row(run, count - 2, "failed", attempts=3, error="Traceback\nValueError: <b>odd</b> row"))
    rows.append(shard_row(run, count - 1, "running", done=4, started_at=now - timedelta(seconds=10)))
    Shard.objects.bulk_create(rows)
    return run


def test_a_live_run_shows_its_speed_time_left_cost_and_shards(cast: Cast) -> None:
    run = at_work(cast)
    text = browser(cast.vic).get(f"{P}{run.pk}/").content.decode()
    for part in ("60 %", "24 items", "1 at work", "2 done", "1 set aside", "about", " items/s", "90 s", "every 1s"):
        assert part in text, part
    assert "ValueError: &lt;b&gt;odd&lt;/b&gt; row" in text and "<b>odd" not in text
    assert "Cancel" not in text and "Cancel" in browser(cast.mia).get(f"{P}{run.pk}/").content.decode()


def test_a_poll_of_a_run_of_thousands_of_shards_reads_a_few_rows(cast: Cast) -> None:
    viewer = browser(cast.vic)

    def poll(run: Run) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            assert viewer.get(f"{P}{run.pk}/", headers={"HX-Request": "true"}).status_code == 200
        return [query["sql"] for query in queries]

    small, large = poll(at_work(cast, 10)), poll(at_work(cast, 4000))
    assert len(large) == len(small) <= 12
    assert not any("COUNT(" in sql for sql in large)


def test_the_rate_of_late_counts_each_shard_for_the_part_of_the_last_minute(cast: Cast) -> None:
    now = timezone.now()
    run = Run.objects.create(
        project=cast.project, method="score", state="running", phase="work", total=1000, done=400,
        started_at=now - timedelta(seconds=600), shards_total=10, shards_done=4,
    )  # fmt: skip
    ago = lambda seconds: now - timedelta(seconds=seconds)  # noqa: E731
    Shard.objects.bulk_create(
        [
            shard_row(run, 0, "done", done=100, started_at=ago(500), ended_at=ago(400)),
            shard_row(run, 1, "done", done=100, started_at=ago(110), ended_at=ago(10)),
            shard_row(run, 2, "running", done=30, started_at=ago(10)),
        ]
    )
    pace = pacing.pace_of(run, now)
    assert pace.lately == pytest.approx((50 + 30) / 60)
    assert pace.overall == pytest.approx(430 / 600) and pace.done == 430 and pace.percent == 43
    assert pace.left == pytest.approx(570 / pace.lately) and (pace.working, pace.waiting) == (1, 5)


def test_no_time_is_told_while_shards_are_still_laid(cast: Cast) -> None:
    run = at_work(cast)
    run.phase = "plan"
    assert pacing.pace_of(run).left is None


def test_a_finished_run_asks_no_more_and_shows_its_result(cast: Cast, length: ModelVersion) -> None:
    make_pairs(cast.project, 5)
    run = through(scoring(cast, length, items_per_shard=2))
    text = browser(cast.mia).get(f"{P}{run.pk}/").content.decode()
    assert "every 1s" not in text and "100 %" in text and "3 done" in text and "length v1" in text
    assert "<dt>scored</dt><dd>10</dd>" in text and "Start another like it" in text


def test_set_aside_shards_are_tried_again_from_the_page(
    cast: Cast, length: ModelVersion, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.SHARD_PAUSE_SECONDS = 0
    make_pairs(cast.project, 4)
    with monkeypatch.context() as patch:
        broken = Method(
            **{**vars(methods.METHODS["score"]), "work": lambda run, shard, params, report: break_down(shard, report)}
        )
        patch.setitem(methods.METHODS, "score", broken)
        run = through(scoring(cast, length, items_per_shard=2))
    client = browser(cast.mia)
    text = client.get(f"{P}{run.pk}/").content.decode()
    assert "Try the set-aside shards again" in text and "ZeroDivisionError" in text
    told = client.post(f"{P}{run.pk}/retry/", follow=True).content.decode()
    assert "goes on where it stood" in told
    assert through(run).state == "succeeded"


def test_the_whole_log_is_text(cast: Cast) -> None:
    run = at_work(cast)
    RunLine.objects.bulk_create(RunLine(run=run, text=f"line {n}") for n in range(1200))
    answer = browser(cast.vic).get(f"{P}{run.pk}/log.txt")
    assert answer["Content-Type"].startswith("text/plain")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert len(lines) == 1200 and lines[-1].endswith("line 1199")


def test_work_on_the_installation_is_for_staff_who_may_cancel_it(cast: Cast) -> None:
    run = Run.objects.create(method="score", state="queued")
    staff = browser(cast.ada)
    assert "Cancel" in staff.get(f"/work/{run.pk}/").content.decode()
    assert "cancelled" in staff.post(f"/work/{run.pk}/cancel/", follow=True).content.decode().lower()
    run.refresh_from_db()
    assert run.state == "cancelled" and "Resume" in staff.get(f"/work/{run.pk}/").content.decode()
    staff.post(f"/work/{run.pk}/retry/")
    run.refresh_from_db()
    assert run.state == "queued"


# --- Starting ---------------------------------------------------------------------------------------


def test_the_methods_are_listed_and_no_run_yet_says_what_to_do(cast: Cast) -> None:
    client = browser(cast.mia)
    assert "Start a run" in client.get(P).content.decode()
    text = client.get(f"{P}new/").content.decode()
    assert "Score responses" in text and "?method=score" in text and "/datasets/new/" in text and "/imports/" in text
    assert (
        text.index(">Data in and out</h2>")
        < text.index(">Push a dataset")
        < text.index(">Training</h2>")
        < text.index("(DPO)")
    )
    assert ">Others</h2>" not in text, "every method that people may start has its family"
    assert "Start a run" not in browser(cast.vic).get(P).content.decode()


def test_a_run_is_started_from_its_form(cast: Cast, length: ModelVersion) -> None:
    client = browser(cast.mia)
    form = client.get(f"{P}new/?method=score").content.decode()
    assert "length v1" in form
    filled = {"model": length.pk, "items_per_shard": "32", "run_queue": "cpu", "run_seed": "3"}
    answer = client.post(f"{P}new/?method=score", filled)
    run = Run.objects.get(method="score")
    assert answer["Location"] == run.address
    assert (run.params, run.seed, run.queue, run.model) == (
        {**run.params, "model": length.pk, "items_per_shard": 32}, 3, "cpu", length,
    )  # fmt: skip
    again = client.get(f"{P}new/?method=score&again={run.pk}").content.decode()
    assert 'value="32"' in again


def test_a_form_shows_its_errors_in_place_and_keeps_what_was_typed(cast: Cast, length: ModelVersion) -> None:
    answer = browser(cast.mia).post(f"{P}new/?method=score", {"model": "", "items_per_shard": "0", "run_seed": "1"})
    text = answer.content.decode()
    assert answer.status_code == 422 and "This field is required" in text and 'value="0"' in text
    assert not Run.objects.exists()


def test_a_form_without_a_fitting_model_says_so(cast: Cast) -> None:
    assert "No model that fits is ready" in browser(cast.mia).get(f"{P}new/?method=score").content.decode()


def test_models_of_other_projects_and_broken_ones_are_not_offered(cast: Cast, length: ModelVersion) -> None:
    from tests.cast import make_project

    other = make_project("other")
    ModelVersion.objects.create(name="theirs", kind="reward", reference="program:x", state="ready", project=other)
    ModelVersion.objects.create(name="bad", kind="reward", reference="program:x", state="broken")
    ModelVersion.objects.create(name="writer", kind="critic", reference="program:x", state="ready")
    text = browser(cast.mia).get(f"{P}new/?method=score").content.decode()
    assert "length v1" in text and not any(name in text for name in ("theirs", "bad v1", "writer"))


class Everything(Params):
    count: int = Field(ge=1, le=9, title="Count")
    share: float = 0.5
    on: bool = True
    word: str = "a"
    kind: Literal["near", "far"] = "near"
    axis: str = Field(default="", json_schema_extra={"choose": "axis"})
    names: list[str] = []
    limit: int | None = None
    filters: dict[str, int] = {}

    @field_validator("word")
    @classmethod
    def short(cls, value: str) -> str:
        if len(value) > 3:
            raise ValueError("no more than three letters")
        return value


def test_every_type_of_parameter_has_its_field(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    method = Method(name="all", title="All", params=Everything, execute=lambda run, report: {})
    monkeypatch.setitem(methods.METHODS, "all", method)
    client = browser(cast.mia)
    form = client.get(f"{P}new/?method=all").content.decode()
    for part in ('<option value="near" selected', "overall", 'type="checkbox"', "<textarea", 'step="any"', 'max="9"'):
        assert part in form, part
    filled = {
        "count": "2", "share": "0.25", "word": "xyz", "kind": "far", "axis": "overall", "names": "one\n two \n",
        "limit": "", "filters": '{"a": 1}', "run_seed": "0",
    }  # fmt: skip
    client.post(f"{P}new/?method=all", filled)
    assert Run.objects.get(method="all").params == {
        "count": 2, "share": 0.25, "on": False, "word": "xyz", "kind": "far", "axis": "overall",
        "names": ["one", "two"], "limit": None, "filters": {"a": 1},
    }  # fmt: skip
    for wrong, told in (({"word": "long"}, "No more than three letters"), ({"filters": "{"}, "This is not JSON")):
        answer = client.post(f"{P}new/?method=all", {**filled, **wrong})
        assert answer.status_code == 422 and told in answer.content.decode()
    assert Run.objects.filter(method="all").count() == 1


def test_a_run_leads_to_the_page_that_shows_its_result(cast: Cast) -> None:
    ended = {"project": cast.project, "state": "succeeded"}
    told = {
        "check": "/projects/helpfulness/checks/",
        "bias-report": "/projects/helpfulness/bias/",
        "learning-curve": "/projects/helpfulness/next/",
        "verify": "/projects/helpfulness/datasets/preferences/2/",
    }
    viewer = browser(cast.vic)
    for method, address in told.items():
        run = Run.objects.create(method=method, params={"dataset": "preferences", "number": 2}, **ended)
        assert f'href="{address}"' in viewer.get(f"{P}{run.pk}/").content.decode(), method
    for method in ("decide", "curate"):
        run = Run.objects.create(method=method, **ended)
        page = viewer.get(f"{P}{run.pk}/").content.decode()
        assert (f"/decisions/?fit={run.pk}" if method == "decide" else f"/curation/{run.pk}/") in page
    waiting = Run.objects.create(method="check", project=cast.project, state="queued")
    assert "Open the checks" not in viewer.get(f"{P}{waiting.pk}/").content.decode()
    listed = viewer.get(P).content.decode()
    assert "Check how people answer" in listed and "Bias-report" not in listed


# --- Scores -----------------------------------------------------------------------------------------


def scored_page(cast: Cast, run: Run) -> str:
    return browser(cast.vic).get(f"{P}{run.pk}/").content.decode()


def test_a_run_of_scores_shows_them_with_their_ends_and_who_was_chosen(cast: Cast, length: ModelVersion) -> None:
    make_pairs(cast.project, 6)
    for n, one in enumerate(Response.objects.filter(position=1).order_by("pk")):
        Response.objects.filter(pk=one.pk).update(text=" ".join(["word"] * (10 + n)))
    answer_all(cast, "ann", 1, 2, -1, 2)
    run = scoring(cast, length, items_per_shard=2)
    finish(run)
    text = scored_page(cast, run)
    assert "Scores: 12, most of them with a score of 4 to 4.55: 6." in text
    assert "The chosen response has the higher score in 75 % of 4 decided pairs (95 % interval 30 to 95 %)." in text
    assert "learnt from" not in text
    last = Response.objects.get(item__external_id="item-5", position=1)
    assert f'items/{last.item_id}/#response-1">item-5, response 2</a>' in text and ">15</span>" in text
    assert f'href="/projects/{cast.project.slug}/items/">Open the items</a>' in text
    Score.objects.filter(response=last).update(value=float("inf"))
    assert "Scores: 11, most" in scored_page(cast, run)
    Score.objects.filter(response=last).update(value=15.0)
    ModelVersion.objects.update(kind="cost", project=cast.project, reference="run:of-a-training")
    trained = scored_page(cast, run)
    assert "has the lower cost in 25 % of 4 decided pairs" in trained
    assert "Those that the model learnt from are among them" in trained


def test_a_sample_of_scores_is_of_shards_all_over_the_run(
    cast: Cast, length: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pairs(cast.project, 12)
    run = scoring(cast, length, items_per_shard=2)
    finish(run)
    viewer = browser(cast.vic)

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert b"Lowest" in viewer.get(f"{P}{run.pk}/").content
        return len(queries)

    monkeypatch.setattr(scored, "SHARDS", 3)
    monkeypatch.setattr(scored, "ITEMS", 3)
    items = list(Item.objects.order_by("pk").values_list("pk", flat=True))
    assert scored.sampled(run) == [items[0], items[4], items[8]]
    few = statements()
    monkeypatch.setattr(scored, "ITEMS", 12)
    assert statements() == few <= 40


def test_a_run_that_scored_nothing_shows_no_scores(cast: Cast, length: ModelVersion) -> None:
    run = scoring(cast, length)
    finish(run)
    assert 'id="scores"' not in scored_page(cast, run)
