"""Objectives on language models: what they compute, what they read, and that they go on where they were killed."""

from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.lessons import DATA, PAIRS, WORDS, job, language_model, trained
from workers.held_out import kept
from workers.judging import Candidate, Given, Spec, judges

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return language_model(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def chatting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return language_model(tmp_path_factory.mktemp("chat"), chat=True)


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("name", ["sft", "dpo", "kto", "redi"])
def test_it_learns_and_tells_as_it_goes(name: str, base: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int, dict[str, float]]] = []
    made = job(
        tmp_path, name, base, epochs=8, tell=lambda step, steps, values: told.append((step, steps, dict(values)))
    )
    if name == "redi":
        made = replace(made, settings=made.settings.model_copy(update={"sft_epochs": 2.0}))
    metrics = trained(made, name)
    steps = [step for step, _, _ in told]
    assert steps == sorted(steps) and steps[-1] == told[-1][1] and len({whole for _, whole, _ in told}) == 1
    curves = {name for _, _, values in told for name in values}
    own = {"sft": {"mean_token_accuracy"}, "kto": {"kl", "logps/chosen"}}
    pairs = {"rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected"}
    assert {"loss", "learning_rate", "gradient", *own.get(name, pairs)} <= curves
    assert ("held_out_loss" if name == "sft" else "held_out_accuracy") in curves
    rows = kept(made.out)
    assert len(rows) == 10 and {row["split"] for row in rows} == {"test"}
    if name == "sft":
        losses = [values["held_out_loss"] for _, _, values in told if "held_out_loss" in values]
        assert losses[-1] < losses[0] and metrics["tokens_guessed"]["accuracy"] > 0.5
        assert metrics["held_out_loss"] == pytest.approx(losses[-1], abs=1e-3)
    else:
        assert metrics["held_out"]["accuracy"] == 1.0


@pytest.mark.parametrize(("name", "lora"), [("sft", 0), ("dpo", 4), ("kto", 0), ("redi", 4)])
def test_a_training_that_is_killed_ends_as_one_that_was_not(name: str, lora: int, base: Path, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    how = {"lora": lora, "save_every": 2} | ({"sft_epochs": 2.0} if name == "redi" else {})
    whole = job(tmp_path / "whole", name, base, **how)
    expected = trained(whole, name)
    logged: list[str] = []

    def kill(step: int, steps: int, values: Any) -> None:
        marked = [one.name for one in broken.out.rglob("checkpoint-*") if (one / "touchstone-whole").exists()]
        if marked and step >= steps - 2:
            raise Killed

    broken = job(tmp_path / "broken", name, base, tell=kill, **how)
    with pytest.raises(Killed):
        trained(broken, name)
    (broken.checkpoints / "checkpoint-999").mkdir()  # begun, and never written to its end
    found = trained(replace(broken, tell=lambda step, steps, values: None, log=logged.append), name)
    assert any(line.startswith("going on from checkpoint-") for line in logged)
    assert not any("999" in line for line in logged)
    assert found.get("held_out") == expected.get("held_out") and found["steps"] == expected["steps"]
    first, second = weights(whole.model), weights(broken.model)
    assert first.keys() == second.keys() and not any("lora" in key for key in first)
    assert all((first[key] - second[key]).abs().max() < 1e-5 for key in first)


@pytest.mark.parametrize("template", ["plain", "chat"])
def test_what_is_learnt_are_the_tokens_that_judges_and_writers_read(
    template: str, base: Path, chatting: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    from workers.asking import Request
    from workers.nn import language
    from workers.nn.generating import Writer
    from workers.nn.texts import Tokenising

    folder = chatting if template == "chat" else base
    opened = language.opened(job(tmp_path, "sft", folder))
    form, row = opened.form, PAIRS[1]
    mine = form.tokens(row["prompt"], row["chosen"])
    rows = language.dataset([form.row(row["prompt"], completion=row["chosen"])], 0)
    args = SFTConfig(output_dir=str(tmp_path / "trl"), bf16=False, use_cpu=True, report_to=[])
    model = AutoModelForCausalLM.from_pretrained(folder)
    (theirs,) = SFTTrainer(model, args, train_dataset=rows, processing_class=opened.tokenizer).train_dataset
    assert mine.ids == theirs["input_ids"]
    assert theirs["labels"] == [-100] * mine.start + mine.ids[mine.start :]
    given = Given(0, row["prompt"], [Candidate(0, row["chosen"][0]["content"])])
    (read,) = Tokenising(opened.tokenizer, 64, form.template, False).texts(0, given)
    assert read.ids == mine.ids and form.template == template
    asked = Writer(model, opened.tokenizer, "cpu", 64).encoded(Request(row["prompt"]))
    if template == "plain":  # the tiny chat template has no words for whose turn it is
        assert asked == mine.ids[: mine.start]


def test_a_text_that_is_too_long_is_cut_or_dropped_and_said_so(base: Path, tmp_path: Path) -> None:
    logged: list[str] = []
    long = {"role": "user", "content": "Question " * 4 + "0?"}
    rows = [{**row, "prompt": [{"role": "user", "content": "Question 1?"}, long] if n < 5 else row["prompt"]}
            for n, row in enumerate(DATA["sft"][1])]  # fmt: skip
    rows = [{**row, "completion": [{"role": "assistant", "content": "Answer good to 1 " * 3}]} if n == 9 else row
            for n, row in enumerate(rows)]  # fmt: skip
    found = trained(job(tmp_path, "sft", base, rows, max_length=8, max_steps=1, log=logged.append), "sft")
    assert (found["rows"], found["cut"], found["dropped"]) == (25, 1, 5)
    assert "25 rows to learn from; 1 texts cut, 5 dropped as too long" in logged
    with pytest.raises(ValueError, match="5 had no room after the prompt: raise max_length"):
        trained(job(tmp_path / "few", "sft", base, rows[:10], held=0, max_length=8), "sft")


def test_budgets_of_tokens_become_rows(base: Path, tmp_path: Path) -> None:
    from workers.nn.language import Budget, budget

    settings = job(tmp_path, "sft", base, epochs=2, batch_tokens=100, step_tokens=400).settings
    assert budget([10] * 100, settings) == Budget(10, 4, 6)
    assert budget([10] * 99 + [50], settings) == Budget(2, 19, 6)
    assert budget([500] * 10, settings) == Budget(1, 1, 20)
    assert budget([500] * 10, settings, least=2).rows == 2
    assert budget([10] * 3, settings) == Budget(3, 1, 2)


def test_dpo_begins_at_log_two_and_the_anchor_adds_fine_tuning(base: Path, tmp_path: Path) -> None:
    from workers.nn import language
    from workers.nn.likelihood import read

    first: dict[float, float] = {}
    for anchor in (0.0, 1.0, 2.5):
        told: list[float] = []
        made = job(
            tmp_path / str(anchor), "dpo", base, sft_anchor=anchor, max_steps=1, step_tokens=10**6, batch_tokens=10**6,
            tell=lambda step, steps, values, told=told: told.append(values["loss"]) if "loss" in values else None,
        )  # fmt: skip
        trained(made, "dpo")
        first[anchor] = told[0]
    opened = language.opened(made)
    texts = [opened.form.tokens(row["prompt"], row["chosen"]) for row in PAIRS[:30]]
    seen = read(opened.model, texts, made.settings)
    fine_tuning = -sum(one.total for one in seen) / sum(one.tokens for one in seen)
    assert first[0.0] == pytest.approx(log(2), abs=1e-5)
    assert first[1.0] == pytest.approx(log(2) + fine_tuning, abs=1e-4)
    assert first[2.5] == pytest.approx(log(2) + 2.5 * fine_tuning, abs=1e-4)


def test_held_out_pairs_have_the_implicit_reward_that_the_judge_gives(base: Path, tmp_path: Path) -> None:
    made = job(tmp_path, "dpo", base)
    trained(made, "dpo")
    config = {"reference_model": f"hf:{base}", "beta": made.settings.beta, "max_length": 64, "dtype": "fp32"}
    judge = judges.get("implicit").open(Spec(0, "implicit", f"hf:{made.model}", config=config))
    sides = [(row["prompt"], [row[side][0]["content"] for side in ("chosen", "rejected")]) for row in PAIRS[30:]]
    given = [
        Given(n, prompt, [Candidate(2 * n + m, text) for m, text in enumerate(texts)])
        for n, (prompt, texts) in enumerate(sides)
    ]
    said = {one.key: one.scores[""] for one in judge.judge(given)}
    rows = kept(made.out)
    assert [said[2 * n] for n in range(10)] == pytest.approx([row["chosen"] for row in rows], abs=1e-4)
    assert [said[2 * n + 1] for n in range(10)] == pytest.approx([row["rejected"] for row in rows], abs=1e-4)


def test_kto_needs_both_labels(base: Path, tmp_path: Path) -> None:
    rows = [row for row in DATA["kto"][1] if row["label"]]
    with pytest.raises(ValueError, match="same label"):
        trained(job(tmp_path, "kto", base, rows, held=0), "kto")


# --- REDI --------------------------------------------------------------------------------------------


class Lab:
    """REDI's trainer on a few pairs, for its loss and gradients in double precision."""

    def __init__(self, folder: Path, base: Path) -> None:
        from workers.nn import language, redi
        from workers.nn.objectives import pairs_of

        self.redi, self.folder = redi, folder
        made = job(folder, "redi", base, held=0)
        self.base = language.opened(made)
        self.base.model.double()
        _, self.texts = pairs_of(self.base, "train")
        self.texts = self.texts[:6]

    def trainer(self, alpha: float, kind: Any = None, **more: Any) -> Any:
        from trl.experimental.cpo import CPOConfig

        given = {"loss_type": "simpo", "cpo_alpha": 0.0, "simpo_gamma": 0.0, **more}
        args = CPOConfig(
            output_dir=str(self.folder / "trl"), per_device_train_batch_size=6, bf16=False, use_cpu=True, report_to=[],
            remove_unused_columns=False, gradient_checkpointing=False, max_length=64, **given,
        )  # fmt: skip
        from workers.nn.language import dataset

        rows = dataset([self.redi.row(both) for both in self.texts], 0)
        made = self.redi.Redi(
            self.base.form, alpha, self.base.model, args, train_dataset=rows, processing_class=self.base.tokenizer
        )
        if kind is not None:
            made.cpo_loss = kind.cpo_loss.__get__(made)
        return made

    def loss(self, trainer: Any) -> Any:
        batch = trainer.data_collator([trainer.train_dataset[n] for n in range(6)])
        return trainer.get_batch_loss_metrics(self.base.model, batch)

    def gradient(self, loss: Any) -> Any:
        import torch

        parts = torch.autograd.grad(loss, [one for one in self.base.model.parameters() if one.requires_grad])
        return torch.cat([part.flatten() for part in parts])

    def own(self) -> tuple[Any, Any]:
        """Mean log-probabilities of the chosen and the rejected, [pairs], read text by text."""
        import torch

        means = []
        for both in self.texts:
            for text in both:
                ids = torch.tensor([text.ids])
                told = self.base.model(input_ids=ids).logits[0].log_softmax(-1)
                said = told[text.start - 1 : -1].gather(1, ids[0, text.start :, None])
                means.append(said.mean())
        return torch.stack(means[::2]), torch.stack(means[1::2])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Lab:
    return Lab(tmp_path_factory.mktemp("lab"), base)


def test_redi_is_its_formula_through_trl(lab: Lab) -> None:
    loss, metrics = lab.loss(lab.trainer(0.8))
    chosen, rejected = lab.own()
    assert loss.item() == pytest.approx((-chosen + 0.8 * rejected).mean().item(), abs=1e-9)
    assert metrics["logps/chosen"] == pytest.approx(chosen.mean().item(), abs=1e-6)
    assert metrics["logps/rejected"] == pytest.approx(rejected.mean().item(), abs=1e-6)


def test_without_rejected_redi_is_fine_tuning_in_which_each_text_counts_the_same(lab: Lab) -> None:
    chosen, _ = lab.own()
    ours, sequences = lab.gradient(lab.loss(lab.trainer(0.0))[0]), lab.gradient(-chosen.mean())
    assert (ours - sequences).norm() < 1e-9 * sequences.norm()


def test_the_gradient_of_redi_is_linear_in_alpha(lab: Lab) -> None:
    none, half, all_ = (lab.gradient(lab.loss(lab.trainer(alpha))[0]) for alpha in (0.0, 0.5, 1.0))
    assert (half - (none + all_) / 2).norm() < 1e-9 * half.norm()
    assert (half - none).norm() > 0.01 * half.norm()


def test_simpo_becomes_redi_with_alpha_one_as_beta_becomes_small(lab: Lab) -> None:
    from trl.experimental.cpo import CPOTrainer

    symmetric = lab.gradient(lab.loss(lab.trainer(1.0))[0])
    errors = []
    for beta in (1e-1, 1e-2, 1e-4):
        simpo = lab.gradient(lab.loss(lab.trainer(1.0, CPOTrainer, beta=beta))[0]) / beta
        errors.append(((simpo - symmetric / 2).norm() / (symmetric / 2).norm()).item())  # sigmoid(0) is a half
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-3


def test_a_collapse_is_seen_in_what_was_told() -> None:
    from workers.nn.redi import falls

    steady = [{"step": n, "logps/chosen": -0.5 - 0.001 * n} for n in range(1, 41)]
    assert falls(steady, 10)[-1] == pytest.approx((40, 0.0345, 0.039), abs=1e-9)
    assert falls(steady, 10)[0] == (1, 0.0, 0.0)
    falling = [*steady, *({"step": 40 + n, "logps/chosen": -4.0} for n in range(1, 11))]
    assert falls(falling, 10)[40].now == pytest.approx(3.499) and falls(falling, 10)[40].mean < 0.4
    assert falls(falling, 10)[-1].mean == pytest.approx(3.499)
    rising = [{"step": n, "logps/chosen": -2 + 0.1 * n} for n in range(1, 11)]
    assert falls(rising, 3)[-1].mean == 0.0
    assert falls([{"step": 1, "loss": 2.0}], 1) == []


def test_a_training_that_collapses_is_stopped_and_rolled_back(base: Path, tmp_path: Path) -> None:
    logged: list[str] = []
    how = {"sft_epochs": 8.0, "sft_learning_rate": 3e-3, "alpha": 1.0, "learning_rate": 0.05, "epochs": 40, "warmup": 0}
    made = job(tmp_path, "redi", base, **how, guard_window=4, guard_drop=0.5, save_every=2, log=logged.append)
    metrics = trained(made, "redi")
    assert metrics["guard"]["stopped"] == metrics["steps"] and metrics["guard"]["fell"] > 0.5
    assert any(line.startswith("collapse at step") for line in logged)
    from workers.nn import language
    from workers.nn.likelihood import read

    opened = language.opened(replace(made, base=made.model))
    now = read(opened.model, [opened.form.tokens(row["prompt"], row["chosen"]) for row in PAIRS[30:]], made.settings)
    assert [one.mean for one in now] == pytest.approx([row["chosen"] for row in kept(made.out)], abs=1e-4)
    place = metrics["guard"]["kept"]
    assert place == "the beginning" or int(place.removeprefix("step ")) < metrics["guard"]["stopped"]


def test_adapters_are_rolled_back_to_what_was_saved_before_the_window(base: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    from workers.nn import redi

    made = job(tmp_path, "redi", base, sft_epochs=0.0, lora=4, save_every=2, guard_window=4)
    steps = trained(made, "redi")["steps"]
    told = [{"step": step, "logps/chosen": -1.0 if step < steps - 3 else -9.0} for step in range(1, steps + 1)]
    guard = redi.Guard(4, 1.0, stopped=steps)
    model, place = redi.rolled_back(made, redi.model_in(base), guard, told)
    assert isinstance(model, PeftModel) and place == f"step {(steps - 4) // 2 * 2}"
    told = [{**one, "logps/chosen": -float(one["step"])} for one in told]
    plain, place = redi.rolled_back(made, redi.model_in(base), guard, told)
    assert not isinstance(plain, PeftModel) and place == "the beginning"


def test_every_word_of_the_data_is_known(base: Path) -> None:
    """Else every row would be the same to these models, and nothing above would mean much."""
    known = orjson.loads((base / "tokenizer.json").read_bytes())["model"]["vocab"]
    assert set(WORDS) <= known.keys()
