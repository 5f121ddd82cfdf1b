"""Objectives on compared responses: their losses against TRL's and by hand; models that learn what was planted."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import orjson
import pytest

from curation.models import ModelVersion, TaskKind
from curation.services.training.told import told_of
from tests.cast import Cast
from tests.critics import SAFE, ask, frozen, land
from tests.networks import CAUSAL, conversations, network
from tests.test_freezing_critiques import HARMLESS
from tests.test_training import PAIRS, encoder, trained
from workers.held_out import Ranked, signed
from workers.judging import Candidate, Given, Spec
from workers.paired import READERS, PairRow, preferred_on
from workers.training import Job, trainers

pytestmark = pytest.mark.training

ROUNDING = 1e-4
"""How far gradients may lie apart in fp32, relative to the largest of them; losses ten times less."""


def texts_of(name: str, folder: Path, count: int = 6, turns: int = 2) -> tuple[Any, Any, list[Any]]:
    """A network, its tokenizer and pairs of texts; of an encoder without token types, which TRL does not know."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from workers.nn.pairs import still
    from workers.nn.texts import Tokenising

    model = AutoModelForSequenceClassification.from_pretrained(folder)
    still(model)
    tokens = AutoTokenizer.from_pretrained(folder)
    causal = name in CAUSAL
    form = Tokenising(tokens, 512, "chat" if causal else "plain", not causal)
    pairs = [form.texts(item, given) for item, given in enumerate(conversations(count, seed=3, turns=turns))]
    for text in (text for pair in pairs for text in pair):
        text.types = None
    return model, tokens, [tuple(pair) for pair in pairs]


def ours(model: Any, tokens: Any, pairs: list[Any], share: str = "auto", **loss: Any) -> tuple[float, dict[str, Any]]:
    """Our loss of one batch and its gradients; the mean over pairs."""
    from workers.nn.pairs import bradley_terry, scores_of
    from workers.nn.reading import Reading

    model = copy.deepcopy(model)
    reading = Reading(model, tokens, share)
    chosen, rejected = scores_of(model, reading.batch(pairs))
    centre = loss.pop("centre", 0.0)
    value = (bradley_terry(chosen[:, 0], rejected[:, 0], **loss) + centre * (chosen + rejected)[:, 0] ** 2).mean()
    value.backward()
    return value.item(), gradients(model)


def gradients(model: Any) -> dict[str, Any]:
    return {name: one.grad for name, one in model.named_parameters() if one.grad is not None}


def equal(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Gradients alike to rounding; what one lacks is zero in the other, to the rounding of the largest of all."""
    import torch

    largest = max(float(one.abs().max()) for one in wanted.values())
    for name in found.keys() | wanted.keys():
        one, other = (side.get(name) for side in (found, wanted))
        if one is None or other is None:
            assert float((other if one is None else one).abs().max()) < ROUNDING * largest, name
        else:
            assert float((one - other).abs().max()) < ROUNDING * largest, name
            assert torch.isfinite(one).all()


@pytest.mark.parametrize("name", ["bert", "llama", "qwen2", "gpt2"])
def test_loss_and_gradients_of_a_batch_are_those_of_trl(name: str, tmp_path: Path) -> None:
    import torch
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    model, tokens, pairs = texts_of(name, network(name, tmp_path / "net"))
    margins = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0]
    tokens.eos_token = tokens.eos_token or tokens.sep_token
    rows = [
        {"chosen_ids": one.ids, "rejected_ids": other.ids, "margin": margin}
        for (one, other), margin in zip(pairs, margins, strict=True)
    ]
    args = RewardConfig(
        output_dir=str(tmp_path / "out"), center_rewards_coefficient=0.01, use_cpu=True, bf16=False,
        gradient_checkpointing=False, report_to=[], max_length=None, per_device_train_batch_size=6,
    )  # fmt: skip
    theirs = RewardTrainer(copy.deepcopy(model), args, train_dataset=Dataset.from_list(rows), processing_class=tokens)
    loss = theirs.compute_loss(theirs.model, theirs.data_collator(rows))
    loss.backward()
    found, mine = ours(model, tokens, pairs, margin=torch.tensor(margins), centre=0.01)
    assert found == pytest.approx(loss.item(), rel=ROUNDING / 10)
    equal(mine, gradients(theirs.model))


@pytest.mark.parametrize("name", ["bert", *CAUSAL])
def test_packed_and_shared_batches_give_the_gradients_of_each_text_alone(name: str, tmp_path: Path) -> None:
    more = {"sliding_window": 16} if name == "mistral" else {}
    model, tokens, pairs = texts_of(name, network(name, tmp_path, **more))
    loss, wanted = alone(model, pairs)
    for share in ("auto", "off"):
        found, got = ours(model, tokens, pairs, share)
        assert found == pytest.approx(loss, rel=ROUNDING / 10)
        equal(got, wanted)


def alone(model: Any, pairs: list[Any]) -> tuple[float, dict[str, Any]]:
    """Each text by the model's own forward, nothing shared or packed."""
    import torch

    from workers.nn.pairs import bradley_terry

    model = copy.deepcopy(model)
    scores = [[model(input_ids=torch.tensor([text.ids])).logits[0, 0] for text in pair] for pair in pairs]
    value = torch.stack([bradley_terry(one, other) for one, other in scores]).mean()
    value.backward()
    return value.item(), gradients(model)


def test_a_prompt_is_read_once_for_both_responses(tmp_path: Path) -> None:
    from workers.nn.reading import Reading

    model, tokens, pairs = texts_of("qwen2", network("qwen2", tmp_path), turns=3)
    shared, apart = Reading(copy.deepcopy(model), tokens), Reading(copy.deepcopy(model), tokens, "off")
    rows = [one.batch(pairs)["input_ids"].shape[1] for one in (shared, apart)]
    assert rows[1] == sum(len(text) for pair in pairs for text in pair) == sum(map(apart.size, pairs))
    assert rows[0] == sum(map(shared.size, pairs)) < 0.75 * rows[1]


def test_adapters_learn_through_packed_rows(tmp_path: Path) -> None:
    from workers.nn.fitting import adapted
    from workers.nn.pairs import scores_of
    from workers.nn.reading import Reading, collated

    for name in ("bert", "llama"):
        model, tokens, pairs = texts_of(name, network(name, tmp_path / name))
        plain = adapted(copy.deepcopy(model), 4, "SEQ_CLS")
        for part, values in plain.named_parameters():
            if "lora_B" in part:
                values.data.normal_(std=0.1)
        both = [one for one, _ in pairs] + [other for _, other in pairs]
        packed = copy.deepcopy(plain)
        reading = Reading(packed.get_base_model(), tokens)
        found = scores_of(packed, reading.batch(pairs))
        wanted = scores_of(plain, collated(both, 0))
        for one, other in zip(found, wanted, strict=True):
            assert one.tolist() == [pytest.approx(row, abs=1e-4) for row in other.tolist()]
        for chosen, rejected in (found, wanted):
            (chosen - rejected).sum().backward()
        equal(gradients(packed), gradients(plain))


def test_steps_hold_about_the_tokens_that_they_are_told_and_every_pair_once_an_epoch() -> None:
    from workers.nn.fitting import plan
    from workers.training import Settings

    lengths = [20 + n % 60 for n in range(500)]
    steps = plan(lengths, Settings(step_tokens=700, batch_tokens=256, epochs=2), seed=1)
    seen = [place for step in steps for batch in step for place in batch]
    assert sorted(seen)[::2] == sorted(seen)[1::2] == list(range(500))
    sizes = [sum(lengths[place] for batch in step for place in batch) for step in steps]
    assert sum(sizes) / len(sizes) == pytest.approx(700, rel=0.02)
    assert max(sizes) < 2 * 700
    assert plan(lengths, Settings(step_tokens=700, batch_tokens=256, max_steps=7), seed=1) == steps[:7]
    few = plan(lengths[:9], Settings(step_tokens=9000, max_steps=5), seed=1)
    assert [sorted(place for batch in step for place in batch) for step in few] == [list(range(9))] * 5
    for tokens in range(300, 900, 50):
        all_of_them = plan(lengths, Settings(step_tokens=tokens, batch_tokens=256), seed=1)
        assert sorted(place for step in all_of_them for batch in step for place in batch) == list(range(500))
        assert all(all_of_them)


def test_the_cost_loss_by_hand() -> None:
    import torch

    from workers.nn.pairs import safe_rlhf

    unsafer, safer = torch.tensor([2.0, 1.0]), torch.tensor([-1.0, 3.0])
    signs = torch.tensor([[3.0, -1.0], [1.0, 0.0]])

    def low(x: float) -> float:
        return math.log(1 + math.exp(-x))

    plain = safe_rlhf(unsafer, safer, signs, 1.0, False, 0.5)
    assert plain.tolist() == pytest.approx([low(3) + low(2) + low(1) + 0.5 * 2.5, low(-2) + low(1) + 0.5 * 5.0])
    graded = safe_rlhf(unsafer, safer, signs, 2.0, True, 0.0)
    assert graded.tolist() == pytest.approx([low(3) + 2 * (low(6) + low(1)), low(-2) + 2 * low(1)])


def pku(n: int, safer: int, better: int, safe: tuple[bool, bool], severity: tuple[int, int] = (0, 0)) -> dict[str, Any]:
    return {
        "id": f"i{n}", "prompt": f"Question {n}?", "response_0": f"zero {n}", "response_1": f"one {n}",
        "is_response_0_safe": safe[0], "is_response_1_safe": safe[1], "response_0_severity_level": severity[0],
        "response_1_severity_level": severity[1], "better_response_id": better, "safer_response_id": safer,
    }  # fmt: skip


def said(row: PairRow) -> tuple[str, str]:
    return row.chosen[0]["content"], row.rejected[0]["content"]


def test_of_cost_data_the_less_safe_response_ranks_higher_and_severity_is_its_sign() -> None:
    read = READERS["pku-saferlhf"]
    row = read("train", 0, pku(1, safer=1, better=0, safe=(False, True), severity=(3, 0)), {})
    assert said(row) == ("zero 1", "one 1") and row.signs == (3.0, -1.0) and row.item == "i1"
    both_harmful = read("train", 0, pku(1, safer=0, better=0, safe=(False, False), severity=(1, 2)), {})
    assert said(both_harmful) == ("one 1", "zero 1") and both_harmful.signs == (2.0, 1.0)


def test_a_reward_model_of_such_data_prefers_the_response_that_is_better_on_its_axis() -> None:
    row = pku(1, safer=1, better=0, safe=(False, True))
    for axes, words, ways in [
        (["helpfulness"], ("zero 1", "one 1"), (1.0,)),
        (["harmlessness"], ("one 1", "zero 1"), (1.0,)),
        (["helpfulness", "harmlessness"], ("zero 1", "one 1"), (1.0, -1.0)),
    ]:
        read = preferred_on(axes)("train", 0, row, {})
        assert said(read) == words and read.axes == ways


def test_signs_are_counted_by_response_beside_the_most_common_one() -> None:
    def one(costs: tuple[float, float], signs: tuple[float, float]) -> Ranked:
        return Ranked("test", 0, "", *costs, (1, 1), signs=signs)

    rows = [one((2, 1), (1, 1)), one((1, -1), (3, -1)), one((-1, -2), (1, -1)), one((0, 5), (1, 0))]
    told = signed(rows)["signs"]
    assert (told["all"]["accuracy"], told["all"]["n"]) == (pytest.approx(5.5 / 7, abs=1e-4), 7)
    assert told["harmful"]["accuracy"] == 0.7 and told["harmless"]["accuracy"] == 1.0
    assert told["always the same"]["accuracy"] == pytest.approx(5 / 7, abs=1e-4)
    assert signed([one((1, 2), (0, 0))]) == {}


def test_margins_come_from_strength_or_votes_and_are_bounded() -> None:
    from workers.trainers.margin_bt import MarginBT, margin_of

    row = PairRow("train", 0, [], [], [], margin=2.0, confidence=0.75, trace={"votes": 4})
    assert margin_of(row, MarginBT()) == 2.0
    assert margin_of(row, MarginBT(scale=4.0)) == 3.0
    assert margin_of(row, MarginBT(strength="votes")) == pytest.approx(math.log(4 / 2))
    alone = PairRow("train", 0, [], [], [])
    assert margin_of(alone, MarginBT(strength="votes")) == pytest.approx(math.log(2))


def test_each_member_draws_its_own_pairs_and_always_the_same() -> None:
    import torch

    from workers.nn.pairs import drawn

    places = torch.arange(3000)
    draw = drawn(places, 3, seed=1)
    assert torch.equal(drawn(places[100:110], 3, seed=1), draw[100:110])
    assert not torch.equal(drawn(places, 3, seed=2), draw)
    assert draw.mean(0).tolist() == [pytest.approx(1.0, abs=0.06)] * 3
    assert abs(float(torch.corrcoef(draw.T)[0, 1])) < 0.06


WORST, GOOD = "blue", "red"
"""What is planted: a response with more of the first is more harmful, of the second more helpful."""


@pytest.fixture
def planted(tmp_path: Path) -> Any:
    """A job on PKU-SafeRLHF rows: harmful responses say blue twice, harmless ones at most once; red is helpful."""

    def row(n: int) -> dict[str, Any]:
        harm, help = (n % 3, (n // 3) % 3), ((n * 7) % 4, (n * 7 + 1 + n % 2) % 4)
        if harm[1] == (other := (harm[0] + 1) % 3):
            other = (harm[0] + 2) % 3
        harms = (harm[0], other)
        texts = [" ".join(["the river", *[WORST] * bad, *[GOOD] * good]) for bad, good in zip(harms, help, strict=True)]
        made = pku(n, int(harms[1] < harms[0]), int(help[1] > help[0]), (harms[0] < 2, harms[1] < 2))
        return {**made, "prompt": "people wait for rain", "response_0": texts[0], "response_1": texts[1]}

    folder = tmp_path / "version"
    folder.mkdir()
    for split, numbers in (("train", range(96)), ("test", range(96, 144))):
        (folder / f"{split}.jsonl").write_bytes(b"\n".join(orjson.dumps(row(n)) for n in numbers))

    def job(trainer: str, base: Path, target: str = "pku-saferlhf", **given: Any) -> Job:
        settings = {"learning_rate": 3e-3, "step_tokens": 400, "batch_tokens": 400, "max_length": 64, "epochs": 8}
        return Job(
            folder=folder, target=target, lines={"train": "train.jsonl", "test": "test.jsonl"}, base=base,
            out=tmp_path / "out", settings=trainers.get(trainer).settings(**{**settings, "precision": "fp32", **given}),
        )  # fmt: skip

    return job


@pytest.mark.parametrize("name", ["bert", "qwen2"])
def test_a_cost_model_learns_order_and_boundary(name: str, planted: Any, tmp_path: Path) -> None:
    job = planted("cost", network(name, tmp_path / "net"), epochs=12)
    told = trainers.get("cost").train(job)
    assert told["held_out"]["accuracy"] >= 0.95 and told["held_out"]["n"] == 48
    assert told["signs"]["all"]["accuracy"] >= 0.95 > 0.7 > told["signs"]["always the same"]["accuracy"]
    harmful, harmless = scores(job.model, "the river blue blue", "the river red")
    assert harmful > 0 > harmless
    config = orjson.loads((job.model / "config.json").read_bytes())
    assert not [key for key in config if "attn_implementation" in key]


def scores(model: Path, *responses: str, **config: Any) -> list[float]:
    return [one.scores[""] for one in judged(model, *responses, **config)]


def judged(model: Path, *responses: str, **config: Any) -> list[Any]:
    from workers.nn.scoring import open_reward

    given = Given(0, [{"role": "user", "content": "people wait for rain"}], [*map(Candidate, range(9), responses)])
    return list(open_reward(Spec(1, "reward", f"hf:{model}", config={"dtype": "fp32", **config})).judge([given]))


def test_a_head_for_each_axis(planted: Any, tmp_path: Path) -> None:
    trainer = trainers.get("bradley-terry")
    job = planted("bradley-terry", network("bert", tmp_path / "net"), axes="both", epochs=12)
    told = trainer.train(job)
    assert {axis: found["accuracy"] >= 0.9 for axis, found in told["by_axis"].items()} == {
        "helpfulness": True,
        "harmlessness": True,
    }
    config = trainer.config(job.settings)
    told = judged(job.model, "the river red red red", "the river blue blue", **config)
    helpful, harmful = (one.scores for one in told)
    assert helpful["helpfulness"] > harmful["helpfulness"] and helpful["harmlessness"] > harmful["harmlessness"]


def test_an_ensemble_of_heads_gives_its_mean_and_its_spread(planted: Any, tmp_path: Path) -> None:
    trainer = trainers.get("bradley-terry")
    job = planted("bradley-terry", network("bert", tmp_path / "net"), axes="helpfulness", members=3)
    told = trainer.train(job)
    assert told["held_out"]["accuracy"] >= 0.9
    assert sum(found["n"] for found in told["by_agreement"].values()) == 48
    apart = judged(job.model, "the river red red")[0].scores
    assert list(apart) == ["member-1", "member-2", "member-3"] and len(set(apart.values())) == 3
    (together,) = judged(job.model, "the river red red", **trainer.config(job.settings))
    values = list(apart.values())
    mean = sum(values) / 3
    assert together.scores == {"": pytest.approx(mean, abs=1e-5)}
    assert together.spread == pytest.approx((sum((one - mean) ** 2 for one in values) / 3) ** 0.5, abs=1e-5)


def test_axes_that_the_version_does_not_have_are_refused_in_words(planted: Any, tmp_path: Path) -> None:
    for target, given, word in [
        ("pku-saferlhf", {}, "axes"),
        ("trl-preference", {"axes": "both"}, "axes"),
        ("pku-saferlhf", {"axes": "both", "members": 2}, "members"),
    ]:
        with pytest.raises(ValueError, match=word):
            trainers.get("bradley-terry").train(planted("bradley-terry", tmp_path, target, **given))


def test_margins_are_those_of_bradley_terry_until_they_are_bounded(tmp_path: Path) -> None:
    def row(n: int) -> dict[str, Any]:
        prompt, said = conversations(1, seed=n)[0].prompt, conversations(1, seed=n)[0].candidates
        sides = [[{"role": "assistant", "content": one.text}] for one in said]
        return {"prompt": prompt, "chosen": sides[0], "rejected": sides[1], "margin": float(n % 3)}

    (tmp_path / "train.jsonl").write_bytes(b"\n".join(orjson.dumps(row(n)) for n in range(12)))
    base = network("bert", tmp_path / "net")

    def loss(name: str, **given: Any) -> float:
        trainer = trainers.get(name)
        settings = trainer.settings(max_steps=2, max_length=64, precision="fp32", **given)
        job = Job(tmp_path, "trl-preference", {"train": "train.jsonl"}, base, Path(mkdtemp(dir=tmp_path)), settings)
        return float(trainer.train(job)["loss"])

    assert loss("margin-bt") == pytest.approx(loss("bradley-terry", margin=1.0), rel=1e-6)
    assert loss("margin-bt", most=0.5) < loss("margin-bt", scale=0.9) < loss("margin-bt")


def test_a_cost_model_is_trained_registered_and_scores_as_one_that_counts_against(cast: Cast, tmp_path: Path) -> None:
    def row(n: int) -> dict[str, Any]:
        good, bad = n % 2, 1 - n % 2
        made = pku(n, safer=good, better=(n // 2) % 2, safe=(good == 0, good == 1), severity=(good, bad))
        return made | {f"response_{good}": f"Answer 1 to {n}", f"response_{bad}": f"Answer 0 to {n}"}

    project = ask(cast.project, TaskKind.PREFERENCE, axes=HARMLESS, questions=SAFE)
    land(project, *map(row, range(PAIRS)), format="pku-saferlhf")
    version = frozen(project, "pku-saferlhf", filters={"annotators": "all"}, splits={"train": 0.75, "test": 0.25})
    assert version.state == "ready", version.error
    base = encoder(project, tmp_path / "base")
    run = trained(cast, "train-cost", base=base.pk, name="harm", epochs=12)
    assert run.state == "succeeded", run.error
    made = ModelVersion.objects.get(pk=run.result["model"])
    assert (made.kind, made.state, made.config["axis"]) == ("cost", "ready", "harmlessness")
    assert run.result["signs"]["all"]["accuracy"] == 1.0 == run.result["held_out"]["accuracy"]
    assert dict(told_of(run).slices)["Sign of the cost"]["always the same"]["accuracy"] == 0.5
    assert "1.000" in made.card
