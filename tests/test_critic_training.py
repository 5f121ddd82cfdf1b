"""Critics that are trained here: asked in the words of every critic, their answers read as those of any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curation.models import Annotation, ModelVersion, Run
from curation.protocols import Question
from curation.services import inspecting, running, starting
from curation.services.answering import Answer, Judged
from curation.services.training import performing
from tests.cast import Cast, make_pairs
from tests.critics import CORRECT, frozen, item, lines, responses, say
from tests.lessons import ROWS, WORDS, job, language_model, trained
from tests.sharded import through
from tests.test_freezing import answer_all
from tests.test_freezing import frozen as frozen_pairs
from workers.critic_examples import critiqued, wanted_of
from workers.criticising import Subject, request, ways
from workers.held_out import kept
from workers.judging import Spec, judges
from workers.replies import read

pytestmark = pytest.mark.training
KINDS = [{"name": "logic"}, {"name": "crash"}]
TYPES = {"name": "error_types", "question": "?", "kind": "choices", "options": KINDS, "when": {"correct": [False]}}
ROW = {
    "id": "q/1",
    "prompt": "Add 2 and 2.",
    "response": "It is “5”.",
    "correctness": False,
    "critique": 'It says "5"; 2 + 2 is 4.',
    "error_types": ["logic", "unheard"],
    "annotator": "ann",
    "kind": "person",
}
GRADED = {
    "prompt": "What is it?",
    "response": "It is green. It is cold.",
    "textual_feedback": "The colour is wrong.",
    "good_spans": ["cold"],
    "good_offsets": [[19, 23]],
    "poor_spans": ["green"],
    "poor_offsets": [[6, 11]],
}


def protocol(*questions: dict[str, Any], **more: Any) -> dict[str, Any]:
    shapes = [Question.model_validate(one).model_dump() for one in questions]
    return {"unit": "span", "questions": shapes, "critiques": {}, "guidelines": "Be exact.", **more}


def examples(folder: Path, row: dict[str, Any], target: str, told: dict[str, Any]) -> list[Any]:
    made = job(folder, "critic-sft", folder, [row], target=target, held=0, protocol=told)
    return list(critiqued(made, "train"))


def test_a_verdict_is_taught_in_the_words_in_which_it_is_asked_and_read(tmp_path: Path) -> None:
    told = protocol(CORRECT, TYPES, {"name": "style", "question": "Nice?"})
    (example,) = examples(tmp_path, ROW, "critique-verdict", told)
    put = example.told
    asked = request(
        ways.get("verdicts"), put.wanted, Subject([{"role": "user", "content": ROW["prompt"]}], [[ROW["response"]]])
    )
    assert example.prompt == asked.messages and "Is it correct?" in asked.messages[0]["content"]
    assert "Be exact." in asked.messages[0]["content"] and "Nice?" not in asked.messages[0]["content"]
    answer = read(example.completion[0]["content"], asked.schema)
    assert answer.status == "ok"
    heard = put.way.read(put.wanted, put.subject, answer.value)
    verdicts = {one["question"]: (one["answer"], one["comment"]) for one in heard.verdicts}
    assert verdicts == {"correct": (False, ""), "error_types": (["logic"], "")}
    words = protocol({**CORRECT, "comment": "optional"})
    (example,) = examples(tmp_path, ROW, "critique-verdict", words)
    answer = read(example.completion[0]["content"], example.told.request.schema)
    assert (
        example.told.way.read(example.told.wanted, example.told.subject, answer.value).verdicts[0]["comment"]
        == ROW["critique"]
    )


def test_without_a_protocol_the_question_is_whether_it_is_correct(tmp_path: Path) -> None:
    made = job(tmp_path, "critic-sft", tmp_path, [ROW], target="critique-verdict", held=0)
    assert [one["name"] for one in wanted_of(made, True).questions] == ["correct"]
    (example,) = critiqued(made, "train")
    assert read(example.completion[0]["content"], example.told.request.schema).value == {
        "correct": {"comment": ROW["critique"], "answer": False}
    }


def test_critiques_of_spans_are_found_again_in_their_order(tmp_path: Path) -> None:
    (example,) = examples(tmp_path, GRADED, "text2grad", {"critiques": {"polarities": ["poor", "neutral", "good"]}})
    put = example.told
    answer = read(example.completion[0]["content"], put.request.schema)
    heard = put.way.read(put.wanted, put.subject, answer.value)
    assert heard.rationale == GRADED["textual_feedback"]
    found = [(one["start"], one["end"], one["polarity"], one["how"]) for one in heard.critiques]
    assert found == [(6, 11, -1, "exact"), (19, 23, 1, "exact")]


def test_a_critic_that_was_trained_is_asked_and_read_like_any(tmp_path: Path) -> None:
    """It has seen each kind of answer often enough to write it; of what it cannot know nothing is asserted."""
    rows = [
        {**ROW, "prompt": "Which?", "response": word, "critique": f"It is {word} .", "correctness": word == "good",
         "error_types": []}
        for word in ("good", "bad") * 20
    ]  # fmt: skip
    made = job(tmp_path, "critic-sft", tmp_path / "base", rows, target="critique-verdict")
    language_model(tmp_path / "base", vocabulary(list(critiqued(made, "train"))), max_position_embeddings=1024)
    made = job(
        tmp_path, "critic-sft", tmp_path / "base", rows, target="critique-verdict", epochs=12, max_length=512,
        batch_tokens=2048, step_tokens=2048, ask=6,
    )  # fmt: skip
    metrics = trained(made, "critic-sft")
    assert metrics["answers_read"]["accuracy"] == 1.0 and metrics["answers_read"]["n"] == 6
    assert metrics["held_out"]["n"] == 6 and metrics["config"]["prompt"] == "verdicts"
    seen = kept(made.out)
    assert len(seen) == 10 and [row["asked"] for row in seen] == [True] * 6 + [False] * 4
    assert all(row["status"] in ("ok", "repaired") and row["verdict"] in (True, False) for row in seen[:6])
    critic: Any = judges.get("critic").open(Spec(0, "critic", f"hf:{made.model}", config=metrics["config"]))
    assert [way.name for way in critic.fits(wanted_of(made, True))] == ["verdicts"]
    (example,) = list(critiqued(made, "test"))[:1]
    how = {"max_tokens": critic.max_tokens}
    ((_, reply),) = critic.ask([request(example.told.way, example.told.wanted, example.told.subject, **how)])
    before, answer, _ = reply.text.partition('"answer"')
    assert answer and not reply.cut and not reply.refused and before == seen[0]["reply"].partition('"answer"')[0]


def vocabulary(found: list[Any]) -> list[str]:
    """Every word of questions and answers."""
    texts = [message["content"] for one in found for message in (*one.prompt, *one.completion)]
    return sorted({word for text in texts for word in text.split()})


def policy(cast: Cast, folder: Path, kind: str = "policy") -> ModelVersion:
    found = ModelVersion.objects.create(
        name="tiny", kind=kind, reference=f"hf:{folder}", project=cast.project, state="ready"
    )
    inspecting.keep(found, inspecting.look(found, lambda line: None))
    found.save()
    return found


def run_of(cast: Cast, method: str, **params: Any) -> Run:
    run = starting.start(project=cast.project, method=method, params={"precision": "fp32", **params}, user=cast.olga)
    running.execute(str(run.pk))
    run.refresh_from_db()
    return run


def test_from_verdicts_of_people_to_a_critic_that_suggests_some(cast: Cast, tmp_path: Path) -> None:
    words = {**CORRECT, "comment": "optional"}
    project = responses(cast, *[item(f"q{n}", f"Text {n} .") for n in range(12)], questions=[words])
    for n in range(10):
        say(cast, "ann", Answer(verdicts=[Judged("correct", n % 2 == 0, comment="Seen .")]))
    version = frozen(project, "critique-verdict")
    told = performing.asked_in(version)
    assert [one["name"] for one in told["questions"]] == ["correct"]
    pilot = job(tmp_path / "pilot", "critic-sft", tmp_path, lines(version), target="critique-verdict", protocol=told)
    base = language_model(tmp_path / "base", vocabulary(list(critiqued(pilot, "train"))), max_position_embeddings=1024)
    run = run_of(
        cast, "train-critic-sft", base=policy(cast, base).pk, epochs=40, learning_rate=3e-3, max_length=512,
        batch_tokens=4096, step_tokens=4096,
    )  # fmt: skip
    assert run.state == Run.State.SUCCEEDED, run.error + running.log_of(run)
    made = ModelVersion.objects.get(pk=run.result["model"])
    assert made.kind == "critic" and made.config["prompt"] == "verdicts" and made.config["max_tokens"] == 64
    asked = starting.start(project=project, method="critique", params={"model": made.pk}, user=cast.olga)
    assert through(asked).state == Run.State.SUCCEEDED
    suggested = Annotation.objects.filter(annotator__kind="model", annotator__name=made.name)
    assert suggested.exists() and all(one.verdicts.count() == 1 for one in suggested)


def test_a_policy_trained_on_pairs_is_an_implicit_reward_too(cast: Cast, tmp_path: Path) -> None:
    make_pairs(cast.project, ROWS)
    answer_all(cast, "ann", *[2] * ROWS)
    version = frozen_pairs(cast, splits={"train": 0.75, "test": 0.25})
    base = policy(cast, language_model(tmp_path / "base", WORDS))
    run = run_of(
        cast, "train-dpo", base=base.pk, name="liked", learning_rate=3e-3, epochs=4, max_length=64, step_tokens=512,
        beta=0.2,
    )  # fmt: skip
    assert run.state == Run.State.SUCCEEDED, run.error + running.log_of(run)
    made, beside = ModelVersion.objects.get(name="liked"), ModelVersion.objects.get(name="liked-implicit")
    assert made.pk == run.result["model"] and (made.kind, beside.kind) == ("policy", "implicit")
    assert beside.config == {"max_length": 64, "reference_model": base.reference, "beta": 0.2}
    scored = starting.start(project=cast.project, method="score", params={"model": beside.pk}, user=cast.olga)
    assert through(scored).state == Run.State.SUCCEEDED
    assert beside.scores.filter(head="").count() == 2 * ROWS
    assert run.result["held_out"]["n"] == version.counts["rows"]["test"]
