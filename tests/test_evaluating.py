"""Evaluations: a run puts a benchmark to a model, keeps every row, scores it; who sees what of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.utils import timezone

from curation.errors import Invalid
from curation.models import Completion, Evaluation, ModelVersion, Run, Shard
from curation.services import running, sharding, starting
from curation.services.evaluating import closing, gathering, showing
from curation.services.evaluating.asking import EvaluateParams
from curation.services.evaluating.closing import rows_of
from tests.cast import Cast, make_pairs
from tests.judging import done, finish, model, teach
from tests.test_freezing import answer_all
from workers.asking import Reply
from workers.judging import Mapped

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """What an administrator puts there: LLMBar and ProcessBench, a few rows of each."""
    settings.BENCHMARKS = str(tmp_path)
    write(tmp_path / "llmbar" / "natural.jsonl", *(pair(n, better=n % 2) for n in range(6)))
    write(tmp_path / "llmbar" / "manual.jsonl", *(pair(n, better=1) for n in range(6, 10)))
    write(
        tmp_path / "processbench" / "gsm8k.jsonl",
        {"id": "s1", "problem": "?", "steps": ["right", "wrong", "right"], "label": 1},
        {"id": "s2", "problem": "?", "steps": ["right", "right"], "label": -1},
        {"id": "s3", "problem": "?", "steps": ["wrong", "right"], "label": -1},
    )
    return tmp_path


def write(path: Path, *rows: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))


def pair(number: int, *, better: int) -> dict[str, Any]:
    """The second output is always one word longer."""
    row = {"id": f"p{number}", "instruction": f"Do {number}.", "response_a": "one two", "response_b": "one two three"}
    return {**row, "gold": "ab"[better]}


def only(run: Run) -> Evaluation:
    assert run.state == Run.State.SUCCEEDED, run.error + running.log_of(run)
    return Evaluation.objects.get(run=run)


def test_a_model_is_scored_as_the_benchmark_says_and_every_row_is_kept(cast: Cast, folder: Path) -> None:
    run = done(cast.project, "evaluate", cast.olga, model=model().pk, benchmark="llmbar", cases_per_shard=3)
    found = only(run)
    assert run.shards_total == 4 and run.done == run.total == 10
    assert (found.main, found.value, found.n, found.total, found.sampled) == ("average", 0.75, 10, 10, False)
    assert {name: one["value"] for name, one in found.scores.items()} == {
        "average": 0.75, "adversarial": 1.0, "natural": 0.5, "manual": 1.0,
    }  # fmt: skip
    assert found.scores["natural"]["low"] < 0.5 < found.scores["natural"]["high"]
    assert run.result["average"] == 0.75 and run.result["benchmark"] == "LLMBar"
    rows = list(rows_of(found))
    assert [row["id"] for row in rows] == [f"p{n}" for n in (6, 7, 8, 9, 0, 1, 2, 3, 4, 5)]
    assert rows[0]["scores"] == [2.0, 3.0] and rows[0]["truth"] == {"gold": 1} and rows[0]["words"] == [2, 3]
    assert found.source["from"] == "files" and len(found.source["cases"]) == 64
    assert not any("rows" in shard.result for shard in Shard.objects.filter(run=run))


def test_a_cost_model_is_turned_and_heads_are_chosen(cast: Cast, folder: Path, monkeypatch: Any) -> None:
    teach(monkeypatch, "cost", lambda one: {"scores": {"": float(len(one.text.split()))}})
    cost = model("cost", kind="cost", reference="hf:/nowhere")
    assert only(done(cast.project, "evaluate", model=cost.pk, benchmark="llmbar")).scores["manual"]["value"] == 0.0
    says = {"short": -1.0, "long": 1.0}
    teach(monkeypatch, "reward", lambda one: {"scores": {h: s * len(one.text) for h, s in says.items()}})
    two = model("two", reference="hf:/nowhere", config={"heads": ["short", "long"]})
    first = only(done(cast.project, "evaluate", model=two.pk, benchmark="llmbar"))
    other = only(done(cast.project, "evaluate", model=two.pk, benchmark="llmbar", head="long"))
    assert (first.scores["manual"]["value"], other.scores["manual"]["value"]) == (0.0, 1.0)


def test_a_step_judge_names_the_first_wrong_step(cast: Cast, folder: Path, monkeypatch: Any) -> None:
    def says(one: Any) -> dict[str, Any]:
        values = [0.9 if one.text[start:end] == "right" else 0.1 for start, end in one.units]
        return {"scores": {"": min(values)}, "maps": [Mapped("step", one.units, values)]}

    teach(monkeypatch, "step", says)
    judge = model("steps", kind="step", reference="hf:/nowhere")
    found = only(done(cast.project, "evaluate", model=judge.pk, benchmark="processbench"))
    assert found.scores["gsm8k error"]["value"] == 1.0 and found.scores["gsm8k correct"]["value"] == 0.5
    assert found.value == round(2 / 3, 4)
    assert [row["steps"] for row in rows_of(found)][0] == [0.9, 0.1, 0.9]


class Speaking:
    """A critic that prefers the longer response, or what comes first; and says of each step what stands there."""

    device, max_tokens, temperature = "cpu", 64, 0.0

    def __init__(self, first: bool = False) -> None:
        self.first, self.asked = first, 0

    def fits(self, wanted: Any) -> list[Any]:
        from workers.criticising import ways

        return [way for way in ways if way.fits(wanted)]

    def ask(self, requests: Any, tick: Any = None) -> Any:
        for number, one in enumerate(requests):
            self.asked += 1
            yield number, Reply(orjson.dumps(self.answer(one.messages[0]["content"])).decode(), tokens=5, tokens_out=2)

    def answer(self, content: str) -> Any:
        if "The steps of the response" in content:
            lines = [line for line in content.splitlines() if line.startswith("[")]
            given = [{"answer": "right" in line, "comment": "So."} for line in lines]
            return {"units": [{"number": n, "answers": {"right": one}} for n, one in enumerate(given, 1)]}
        longer = content.index("one two three") > content.index('name="Response 2"')
        named = {"preferred": "2" if longer and not self.first else "1", "strength": 1, "confidence": 90}
        return {"differences": "One is longer.", "axes": {"overall": named}}


def critic(monkeypatch: Any, speaks: Speaking) -> ModelVersion:
    from workers.judging import Judge, judges

    made = model("critic", kind="critic", reference="openai:http://127.0.0.1:9/v1#m")
    assert list(judges)
    judge = Judge(name="critic", title="", gives=(), open=lambda spec: speaks)  # type: ignore[arg-type,return-value]
    monkeypatch.setitem(judges._methods, "critic", judge)
    return made


def test_a_critic_is_asked_in_both_orders(cast: Cast, folder: Path, monkeypatch: Any) -> None:
    speaks = Speaking()
    judge = critic(monkeypatch, speaks)
    found = only(done(cast.project, "evaluate", model=judge.pk, benchmark="llmbar"))
    assert speaks.asked == Completion.objects.count() == 20
    assert found.scores["agreement"]["value"] == 1.0 and found.scores["manual"]["value"] == 1.0
    assert found.scores["natural"]["value"] == 0.5
    assert [row["choices"] for row in rows_of(found)] == [[1, 1]] * 10
    again = only(done(cast.project, "evaluate", model=judge.pk, benchmark="llmbar"))
    assert speaks.asked == 20 and again.scores == found.scores


def test_a_critic_that_takes_the_first_agrees_with_itself_never(cast: Cast, folder: Path, monkeypatch: Any) -> None:
    judge = critic(monkeypatch, Speaking(first=True))
    found = only(done(cast.project, "evaluate", model=judge.pk, benchmark="llmbar"))
    assert found.scores["agreement"]["value"] == 0.0 and found.value == 0.5


def test_a_critic_names_wrong_steps(cast: Cast, folder: Path, monkeypatch: Any) -> None:
    judge = critic(monkeypatch, Speaking())
    found = only(done(cast.project, "evaluate", model=judge.pk, benchmark="processbench"))
    assert [row["steps"] for row in rows_of(found)] == [[1.0, 0.0, None], [1.0, 1.0], [0.0, None]]
    assert found.scores["gsm8k error"]["value"] == 1.0 and found.scores["gsm8k correct"]["value"] == 0.5


def test_own_decided_pairs_are_a_benchmark(cast: Cast) -> None:
    make_pairs(cast.project, 6)
    answer_all(cast, "ann", 2, 1, -2, 0, 1)
    longer = model("long", kind="reward")
    run = done(cast.project, "evaluate", cast.olga, model=longer.pk, benchmark="gold")
    found = only(run)
    assert (found.project, found.axis, found.n) == (cast.project, "overall", 4)
    assert found.value == 0.0, "equal lengths are ties, and a tie is wrong"
    assert found.scores["strength: slight"]["n"] == 2 and found.scores["agreement: all agreed"]["n"] == 4
    assert found.source["from"] == "project"


def test_own_pairs_are_read_with_their_responses(cast: Cast, monkeypatch: Any) -> None:
    make_pairs(cast.project, 4)
    answer_all(cast, "ann", 2, 1, -2, 1)
    judge = teach(monkeypatch, "reward", lambda one: {"scores": {"": 1.0 if "Answer 1" in one.text else 0.0}})
    made = model("second", reference="hf:/nowhere")
    assert only(done(cast.project, "evaluate", model=made.pk, benchmark="gold")).value == 0.75
    assert {row.prompt[0]["content"] for row in judge.seen} == {f"Question {n}?" for n in range(4)}


def test_nothing_decided_and_files_that_are_not_there_are_said(cast: Cast, folder: Path) -> None:
    run = done(cast.project, "evaluate", model=model().pk, benchmark="gold")
    assert run.state == Run.State.FAILED and "decided no pair" in run.error
    made = model("other")
    run = done(cast.project, "evaluate", model=made.pk, benchmark="rmb", source="files")
    assert run.state == Run.State.FAILED and "no folder rmb in TOUCHSTONE_BENCHMARKS" in run.error


def test_without_a_network_the_run_says_what_to_do(cast: Cast, monkeypatch: Any) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    run = done(cast.project, "evaluate", model=model().pk, benchmark="judgebench")
    assert run.state == Run.State.FAILED and "put its files into the folder judgebench" in run.error


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"benchmark": "unheard"}, "params.benchmark"),
        ({"benchmark": "processbench"}, "params.benchmark"),
        ({"benchmark": "gold", "axis": "unheard"}, "params.axis"),
        ({"benchmark": "llmbar", "limit": 0}, "params.limit"),
        ({"benchmark": "llmbar", "model": 999_999}, "params.model"),
        ({"benchmark": "llmbar", "source": "/etc"}, "params.source"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(cast: Cast, params: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as error:
        starting.start(project=cast.project, method="evaluate", params={"model": model().pk, **params}, user=cast.olga)
    assert error.value.field == field


def test_a_sample_is_drawn_by_the_seed_and_told_as_one(cast: Cast, folder: Path) -> None:
    made = model()

    def ids(seed: int) -> list[str]:
        run = done(cast.project, "evaluate", seed=seed, model=made.pk, benchmark="llmbar", limit=4)
        found = only(run)
        assert (found.n, found.total, found.sampled) == (4, 10, True)
        return [row["id"] for row in rows_of(found)]

    assert ids(1) == ids(1) and len({tuple(ids(seed)) for seed in range(4)}) > 1


def test_a_run_that_was_killed_ends_with_the_same_rows(cast: Cast, folder: Path, monkeypatch: Any) -> None:
    made = model()
    whole = done(cast.project, "evaluate", model=made.pk, benchmark="llmbar", cases_per_shard=2)
    run = starting.start(
        project=cast.project,
        method="evaluate",
        params={"model": made.pk, "benchmark": "llmbar", "cases_per_shard": 2},
        user=None,
    )
    running.execute(str(run.pk))
    sharding.perform(sharding.take("cpu", run=run))  # type: ignore[arg-type]
    (folder / "llmbar" / "natural.jsonl").unlink()

    class Killed(BaseException):
        pass

    def kill(*args: Any, **kwargs: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Evaluation.objects, "create", kill)
        with pytest.raises(Killed):
            finish(run)
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    finish(run)
    assert list(rows_of(only(run))) == list(rows_of(only(whole)))
    assert only(run).scores == only(whole).scores and Evaluation.objects.filter(run=run).count() == 1
    again = closing.close(run, EvaluateParams.model_validate(run.params), None)  # type: ignore[arg-type]
    assert again["evaluation"] == only(run).pk and Evaluation.objects.filter(run=run).count() == 1


def test_of_a_run_with_shards_set_aside_there_is_no_score_until_they_are_done(
    cast: Cast, folder: Path, monkeypatch: Any
) -> None:
    from curation.services.evaluating import judging
    from workers.judging import Unusable

    def refuse(*args: Any) -> Any:
        raise Unusable("not today")

    made = model()
    run = starting.start(
        project=cast.project,
        method="evaluate",
        params={"model": made.pk, "benchmark": "llmbar", "cases_per_shard": 5},
        user=None,
    )
    running.execute(str(run.pk))
    with monkeypatch.context() as patch:
        patch.setattr(judging, "scored", refuse)
        sharding.perform(sharding.take("cpu", run=run))  # type: ignore[arg-type]
    finish(run)
    assert run.state == Run.State.FAILED and run.result == {"judged": 5}
    assert not Evaluation.objects.filter(run=run).exists()
    running.retry(run)
    finish(run)
    assert only(run).n == 10


def test_a_piece_that_is_too_large_is_halved(cast: Cast) -> None:
    from curation.services.evaluating.asking import halves

    assert [piece.spec for piece in halves({"from": 3, "to": 8})] == [{"from": 3, "to": 5}, {"from": 5, "to": 8}]
    assert halves({"from": 3, "to": 4}) == []


def evaluated(made: ModelVersion, cast: Cast, value: float, **more: Any) -> Evaluation:
    run = Run.objects.create(project=cast.project, method="evaluate", model=made)
    figure = {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 10}
    given = {"benchmark": "llmbar", "main": "average", "n": 10, "total": 10, **more}
    return Evaluation.objects.create(model=made, run=run, scores={"average": figure}, value=value, **given)


def test_the_leaderboard_has_the_newest_of_each_and_can_be_sorted(cast: Cast) -> None:
    one, two, three = model("one"), model("two"), model("three")
    evaluated(one, cast, 0.2)
    newer = evaluated(one, cast, 0.9)
    best = evaluated(two, cast, 0.95)
    other = evaluated(three, cast, 0.5, benchmark="rmbench")
    board = showing.board(cast.vic)
    assert [column.title for column in board.columns] == ["LLMBar", "RM-Bench"]
    assert [row.model for row in board.rows] == [one, three, two]
    by_llmbar = showing.board(cast.vic, sort="llmbar")
    assert [row.cells for row in by_llmbar.rows] == [[best, None], [newer, None], [None, other]]
    assert [row.model for row in showing.board(cast.vic, sort="llmbar", down=False).rows] == [one, two, three]
    two.retired_at = two.created_at
    two.save()
    assert two not in [row.model for row in showing.board(cast.vic).rows]
    assert two in [row.model for row in showing.board(cast.vic, retired=True).rows]


def test_strangers_see_neither_a_projects_models_nor_what_others_did_on_its_pairs(cast: Cast) -> None:
    theirs, everybodys = model("theirs", project=cast.project), model("everybodys")
    evaluated(theirs, cast, 0.5)
    evaluated(everybodys, cast, 0.6, benchmark="gold", project=cast.project, axis="overall")
    public = evaluated(everybodys, cast, 0.7)
    assert list(showing.visible(cast.zed)) == [public] and list(showing.visible(cast.ann)) == [public]
    assert showing.visible(cast.vic).count() == 3
    assert [column.title for column in showing.board(cast.vic).columns] == ["LLMBar", cast.project.name]


def test_the_cases_are_read_once(cast: Cast, folder: Path) -> None:
    run = done(cast.project, "evaluate", model=model().pk, benchmark="llmbar")
    before = (run.folder / gathering.CASES).read_bytes()
    write(folder / "llmbar" / "natural.jsonl", pair(1, better=0))
    found = gathering.gathered(run, None)  # type: ignore[arg-type]
    assert found["n"] == 10 and (run.folder / gathering.CASES).read_bytes() == before
