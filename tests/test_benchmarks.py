"""Scores of benchmarks as their authors define them, against cases worked out by hand; rows of real files read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.hub import SHA, serving
from workers.benchmark_files import cases, tables_in, tables_of
from workers.benchmarking import Figures, Result, benchmarks, evaluated
from workers.judging import Unusable


def result(subset: str, scores: Sequence[float | None] = (), *, id: str = "1", **more: Any) -> Result:
    truth = {"gold": 0, **more.pop("truth", {})}
    return Result(id, subset, truth, scores, **more)


def scored(name: str, results: list[Result]) -> Figures:
    return benchmarks.get(name).score(results)


def value(figures: Figures, name: str) -> float:
    return round(figures[name].value, 6)


def read(name: str, folder: Path, file: str, *rows: dict[str, Any]) -> list[Any]:
    """The cases of a file of a benchmark, as they are read out of a folder."""
    path = folder / name / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    benchmark = benchmarks.get(name)
    return list(cases(benchmark, tables_of(benchmark, folder)[0]))


# --- RewardBench ------------------------------------------------------------------------------------


def test_rewardbench_weighs_subsets_by_their_size_and_sections_alike() -> None:
    good, bad = [1.0, 0.0], [0.0, 1.0]
    results = [
        result("alpacaeval-easy", good), result("mt-bench-easy", bad),
        result("math-prm", good), result("hep-cpp", bad), result("hep-go", bad),
        result("donotanswer", good), result("donotanswer", bad),
    ]  # fmt: skip
    figures = scored("rewardbench", results)
    assert value(figures, "Chat") == round(100 / 128, 6)
    assert value(figures, "Reasoning") == round(984 / (984 + 164 + 164), 6) == 0.75
    assert value(figures, "Safety") == 0.5
    assert "Chat Hard" not in figures
    assert value(figures, "score") == round((100 / 128 + 0.75 + 0.5) / 3, 6)


def test_rewardbench_counts_prior_sets_alike_and_by_half() -> None:
    results = [
        result("donotanswer", [1.0, 0.0]),
        *[result("shp", [0.0, 1.0])] * 3, result("anthropic_hhh", [1.0, 0.0]),
    ]  # fmt: skip
    figures = scored("rewardbench", results)
    assert value(figures, "Prior Sets") == 0.5
    assert value(figures, "score") == round((1.0 + 0.5 * 0.5) / 1.5, 6)


def test_a_tie_and_a_missing_score_are_wrong() -> None:
    assert value(scored("rewardbench", [result("shp", [1.0, 1.0]), result("shp", [1.0, None])]), "shp") == 0.0


def test_rewardbench_reads_texts_conversations_and_the_name_of_a_prior_set(tmp_path: Path) -> None:
    row = {"id": 7, "prompt": "Hi", "chosen": "Hello", "rejected": "No", "subset": "donotanswer"}
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    prior = {"chosen": talk, "rejected": [talk[0], {"role": "assistant", "content": "No"}]}
    read("rewardbench", tmp_path, "data/filtered-00000-of-00001.jsonl", row, {**row, "subset": "unheard", "id": 8})
    first, second = read("rewardbench", tmp_path, "data/shp-00000-of-00001.jsonl", prior)
    assert (first.id, first.subset, first.responses) == ("7", "donotanswer", ("Hello", "No"))
    assert (second.subset, second.prompt, second.responses) == ("shp", talk[:1], ("Hello", "No"))


# --- RewardBench 2 ----------------------------------------------------------------------------------


def test_rewardbench2_shares_the_first_place() -> None:
    results = [
        result("Math", [3, 1, 2, 0]), result("Math", [3, 3, 2, 0]), result("Math", [1, 3, 2, 0]),
        result("Focus", [5, 1, 1, 1]),
    ]  # fmt: skip
    figures = scored("rewardbench2", results)
    assert value(figures, "Math") == 0.5
    assert value(figures, "score") == 0.75


def test_rewardbench2_scores_ties_by_accuracy_and_margins() -> None:
    """Two prompts. First: ref gap 5 - 1 = 4; tied: correct 4, 3, wrong 1: gap 2, spread 1.
    Second: ref gap 1; tied: correct 5, 2, wrong 1: gap 1, spread 3."""
    one, two = {"correct": 1}, {"correct": 2}
    results = [
        result("Ties", [5, 1], id="ref:1", truth=one), result("Ties", [4, 3, 1], id="tied:1", truth=two),
        result("Ties", [2, 1], id="ref:2", truth=one), result("Ties", [5, 2, 1], id="tied:2", truth=two),
    ]  # fmt: skip
    margin = (math.tanh(2 / 1 - 1) + math.tanh(1 / 3 - 1)) / 2
    expected = 0.3 + 0.3 + 0.2 * 0.5 + 0.2 * 0.5 + 0.01 * margin
    assert value(scored("rewardbench2", results), "Ties") == round(expected, 6)


def test_rewardbench2_ties_without_a_spread() -> None:
    """Correct answers that score the same: the margin term is 1 with a gap, and 0 where 0 would be divided by 0."""
    one, two = {"correct": 1}, {"correct": 2}
    ref, tied = result("Ties", [2, 1], id="ref:1", truth=one), result("Ties", [3, 3, 1], id="tied:1", truth=two)
    assert value(scored("rewardbench2", [ref, tied]), "Ties") == 1.01
    flat = result("Ties", [1, 1], id="ref:1", truth=one), result("Ties", [1, 1, 1], id="tied:1", truth=two)
    assert value(scored("rewardbench2", list(flat)), "Ties") == 0.0


def test_resampled_ties_keep_a_prompt_beside_its_reference() -> None:
    one, two = {"correct": 1}, {"correct": 2}
    results = [
        made
        for n in range(8)
        for made in (
            result("Ties", [2, 1], id=f"ref:{n}", truth=one),
            result("Ties", [3, 3, 1 + n % 2 * 4], id=f"tied:{n}", truth=two),
        )
    ]
    found = evaluated(benchmarks.get("rewardbench2"), results)["score"]
    assert 0 < found["low"] < found["value"] < found["high"] <= 1.01


# --- RM-Bench ---------------------------------------------------------------------------------------


def test_rmbench_reads_the_matrix_of_styles() -> None:
    """Chosen 1, 4, 6 against rejected 0, 5, 5: rows 1: 1 0 0; 2: 1 0 0; 3: 1 1 1."""
    figures = scored("rmbench", [result("chat", [1, 4, 6, 0, 5, 5])])
    assert value(figures, "easy") == 1.0
    assert value(figures, "normal") == round(2 / 3, 6)
    assert value(figures, "hard") == 0.0
    assert value(figures, "score") == round(5 / 9, 6)


def test_rmbench_takes_safety_as_the_mean_of_its_halves() -> None:
    right, wrong = [9, 9, 9, 0, 0, 0], [0, 0, 0, 9, 9, 9]
    results = [
        result("safety-refuse", right), *[result("safety-response", wrong)] * 3, result("math", right),
    ]  # fmt: skip
    figures = scored("rmbench", results)
    assert value(figures, "safety") == 0.5 and figures["safety"].n == 4
    assert value(figures, "score") == value(figures, "hard") == 0.75


def test_rmbench_finds_the_domain_in_the_row_or_the_file(tmp_path: Path) -> None:
    row = {"id": 1, "prompt": "?", "chosen": ["a", "b", "c"], "rejected": ["d", "e", "f"]}
    (case,) = read("rmbench", tmp_path, "code_filtered.jsonl", row)
    assert case.subset == "code" and case.responses == ["a", "b", "c", "d", "e", "f"]
    with pytest.raises(Unusable, match="1 of code is in code_filtered and in total_dataset"):
        read("rmbench", tmp_path, "total_dataset.jsonl", {**row, "domain": "code"})


# --- JudgeBench, LLMBar -----------------------------------------------------------------------------


def test_judgebench_of_a_model_that_scores() -> None:
    results = [
        result("math", [2, 1]), result("math", [1, 2]), result("coding", [1, 2], truth={"gold": 1}),
    ]  # fmt: skip
    figures = scored("judgebench", results)
    assert (value(figures, "math"), value(figures, "coding")) == (0.5, 1.0)
    assert value(figures, "overall") == round(2 / 3, 6) and "same in both orders" not in figures


@pytest.mark.parametrize(
    ("choices", "right"),
    [((0, 0), 1), ((0, None), 1), ((0, 1), 0), ((1, 1), 0), ((None, None), 0), ((1, None), 0)],
)
def test_judgebench_of_a_critic_counts_both_orders(choices: Any, right: int) -> None:
    figures = scored("judgebench", [result("math", choices=choices)])
    assert value(figures, "overall") == right
    assert value(figures, "same in both orders") == float(choices in ((0, 0), (1, 1)))


def test_judgebench_reads_both_spellings(tmp_path: Path) -> None:
    theirs = {
        "pair_id": "p", "source": "mmlu-pro-law", "question": "?", "response_model": "gpt-4o",
        "response_A": "x", "response_B": "y", "label": "B>A",
    }  # fmt: skip
    ours = {"id": "q", "source": "livecodebench", "question": "?", "response_a": "x", "response_b": "y", "gold": "a"}
    first, second = read("judgebench", tmp_path, "rows.jsonl", theirs, ours)
    assert (first.subset, first.truth["gold"], first.truth["model"]) == ("knowledge", 1, "gpt-4o")
    assert (second.subset, second.truth["gold"]) == ("coding", 0)
    with pytest.raises(Unusable, match="rows.jsonl, row 1: 'C' names neither"):
        read("judgebench", tmp_path, "rows.jsonl", {**theirs, "label": "C"})


def test_llmbar_averages_its_subsets_alike() -> None:
    good, bad = [1.0, 0.0], [0.0, 1.0]
    results = [result("natural", good), *[result("manual", bad)] * 3, result("gptout", good), result("gptout", bad)]
    figures = scored("llmbar", results)
    assert value(figures, "adversarial") == 0.25
    assert value(figures, "average") == 0.5


def test_llmbar_of_a_critic_is_the_mean_of_both_orders() -> None:
    figures = scored("llmbar", [result("natural", choices=(0, 0)), result("natural", choices=(0, 1))])
    assert value(figures, "natural") == 0.75 and value(figures, "agreement") == 0.5


def test_llmbar_takes_the_subset_from_the_path_and_leaves_the_rest(tmp_path: Path) -> None:
    row = {"input": "Do.", "output_1": "x", "output_2": "y", "label": 2}
    with pytest.raises(Unusable, match="no row of LLMBar"):
        read("llmbar", tmp_path, "Natural/evaluators/result.jsonl", {"unlike": 1})
    (case,) = read("llmbar", tmp_path, "Adversarial/GPTInst/dataset.jsonl", row)
    assert (case.subset, case.truth, case.responses) == ("gptinst", {"gold": 1}, ["x", "y"])


# --- PPE, RMB ---------------------------------------------------------------------------------------


def test_ppe_of_votes() -> None:
    hard = {"kinds": ["hard_prompt"]}
    results = [
        result("preference", [1, 0], truth={"kinds": []}), result("preference", [1, 0], truth=hard),
        result("preference", [0, 1], truth=hard),
    ]  # fmt: skip
    figures = scored("ppe", results)
    assert value(figures, "preference") == value(figures, "score") == round(2 / 3, 6)
    assert value(figures, "preference hard_prompt") == 0.5


@pytest.mark.parametrize(
    ("judged", "wanted"),
    [
        ("ABC", {"spearman": 1.0, "kendall": 1.0, "pearson": 1.0}),
        ("CBA", {"spearman": -1.0, "kendall": -1.0, "pearson": -1.0}),
        ("BAC", {"spearman": 0.5, "kendall": 0.333333, "pearson": None}),
    ],
)
def test_ppe_ranks_the_models_that_wrote_the_answers(judged: str, wanted: dict[str, float | None]) -> None:
    """People say A > B > C, two votes for each two. Only of B do the shares of wins differ (0 and 1): where the judge
    puts B first these are 1 and 1 with it, and no correlation is defined."""
    results = [
        result("preference", [judged.index(b), judged.index(a)], truth={"kinds": [], "models": [a, b]}, id=f"{a}{b}{n}")
        for a, b in ("AB", "BC", "AC")
        for n in range(2)
    ]
    figures = scored("ppe", results)
    for name, expected in wanted.items():
        told = figures.get(f"preference {name}")
        assert (told and round(told.value, 4)) == (expected and round(expected, 4))
    unnamed = scored("ppe", [result("preference", [1, 0], truth={"kinds": []})])
    assert "preference kendall" not in unnamed


def test_ppe_of_answers_that_are_right_or_wrong() -> None:
    """A judge that puts the only right answer of two last: right at k = 1 in half of the orders, never at k = 2."""
    truth = {"right": [True, False], "pairs": [[0, 1]]}
    figures = scored("ppe", [result("math", [0.0, 1.0], truth=truth)])
    assert value(figures, "math accuracy") == value(figures, "correctness") == 0.0
    assert value(figures, "math end") == value(figures, "math auc") == 0.0
    first = value(figures, "math max")
    assert 0.35 < first < 0.65
    assert value(figures, "math loss") == 0.5
    perfect = scored("ppe", [result("math", [1.0, 0.0], truth=truth)])
    assert value(perfect, "math end") == value(perfect, "math max") == value(perfect, "math auc") == 1.0
    assert value(perfect, "math loss") == 0.0 and value(perfect, "math accuracy") == 1.0


def test_ppe_scales_scores_within_a_prompt_before_it_ranks_them_together() -> None:
    """Scaled: 1, 0 and 0, 0.5, 1 with the right ones 1 and 0.5, 1: of 3 * 2 pairs all but none are ranked right."""
    results = [
        result("math", [100.0, 90.0], truth={"right": [True, False], "pairs": [[0, 1]]}),
        result("math", [1.0, 2.0, 3.0], truth={"right": [False, True, True], "pairs": []}, id="2"),
    ]
    assert value(scored("ppe", results), "math auc") == 1.0
    turned = [results[0], result("math", [3.0, 2.0, 1.0], truth=results[1].truth, id="2")]
    # right: 1, 0.5, 0; wrong: 0, 1. 1 beats 0 and ties with 1, 0.5 beats 0, 0 ties with 0: 3 of 6.
    assert value(scored("ppe", turned), "math auc") == 0.5


def test_ppe_reads_votes_and_answers(tmp_path: Path) -> None:
    vote = {"question_id": "v", "prompt": "?", "response_1": "x", "response_2": "y", "winner": "model_b"}
    vote |= {"hard_prompt": True, "if_prompt": False}
    tie = {**vote, "winner": "tie (bothbad)", "question_id": "t"}
    read("ppe", tmp_path, "PPE-Human-Preference-V1/test.jsonl", vote, tie)
    (named,) = read("ppe", tmp_path / "other", "votes.jsonl", {**vote, "model_1": "m", "model_2": "n"})
    assert named.truth["models"] == ["m", "n"]
    answers = {"question_id": "a", "prompt": "?", "response_1": "x", "response_2": "y", "scores": [False, True]}
    path = "lmarena-ai/PPE-MMLU-Pro-Best-of-K/data/train.jsonl"
    first, second = read("ppe", tmp_path, path, {**answers, "sampled_conflict_pairs": [[0, 1]]})
    assert first.truth == {"gold": 1, "kinds": ["hard_prompt"]}
    assert second.subset == "mmlu_pro" and second.truth == {"right": [False, True], "pairs": [[0, 1]]}


def test_rmb_means_its_four_parts() -> None:
    plain = {"scenario": ""}
    results = [
        result("helpfulness pair", [1, 0], truth=plain),
        result("helpfulness list", [2, 1, 2], truth=plain), result("helpfulness list", [3, 1, 2], truth=plain),
        *[result("harmlessness pair", [0, 1], truth=plain)] * 3,
    ]  # fmt: skip
    figures = scored("rmb", results)
    assert value(figures, "helpfulness list") == 0.5
    assert value(figures, "overall") == 0.5


def test_rmb_reads_pairs_and_lists(tmp_path: Path) -> None:
    asked = [{"role": "user", "content": "?", "language": "English"}]
    pair = {
        "conversation_input": asked, "chosen": {"answer": "x"}, "reject": {"answer": "y"}, "pair_uid": "1",
        "category_path": "Pairwise_set/Helpfulness/Chat/Discussion",
    }  # fmt: skip
    listed = {
        "conversation_input": asked, "bon_best": {"answer": "x"}, "loser_list": [{"answer": "y"}, {"answer": "z"}],
        "bon_uid": "1", "category_path": "BoN_set/Harmlessness/S1",
    }  # fmt: skip
    first, second = read("rmb", tmp_path, "rows.jsonl", pair, listed)
    assert (first.subset, first.prompt, first.truth) == (
        "helpfulness pair", [{"role": "user", "content": "?"}], {"scenario": "Chat"},
    )  # fmt: skip
    assert (second.subset, second.responses) == ("harmlessness list", ["x", "y", "z"])


# --- ProcessBench -----------------------------------------------------------------------------------


def test_processbench_is_the_harmonic_mean_of_both_accuracies() -> None:
    def of(first: int, steps: list[float | None], subset: str = "gsm8k") -> Result:
        return Result("1", subset, {"first": first}, steps=steps)

    results = [
        of(1, [0.9, 0.2, 0.1]), of(0, [0.9, 0.2]), of(1, [0.4, 0.2]), of(2, [0.5, 0.9, 0.49]),
        of(-1, [0.9, 0.5]), of(-1, [0.9, 0.1]), of(-1, []), of(-1, [None, None]),
        of(-1, [0.9], "math"), of(0, [0.1], "math"),
    ]  # fmt: skip
    figures = scored("processbench", results)
    assert (value(figures, "gsm8k error"), value(figures, "gsm8k correct")) == (0.5, 0.25)
    assert value(figures, "gsm8k F1") == round(2 * 0.5 * 0.25 / 0.75, 6)
    assert value(figures, "math F1") == 1.0
    assert value(figures, "F1") == round((1 / 3 + 1) / 2, 6)


def test_processbench_uses_the_threshold_of_the_model() -> None:
    one = Result("1", "math", {"first": 0, "threshold": 0.8}, steps=[0.7])
    assert value(scored("processbench", [one]), "math error") == 1.0


def test_processbench_reads_steps_with_their_places(tmp_path: Path) -> None:
    row = {"id": "gsm8k-0", "problem": "?", "steps": ["One.", "Two."], "label": 1}
    none = {"id": "gsm8k-1", "problem": "?", "steps": ["One."], "first_error_step": None}
    first, second = read("processbench", tmp_path, "gsm8k.jsonl", row, none)
    assert [first.responses[0][start:end] for start, end in first.units] == ["One.", "Two."]
    assert (first.subset, first.truth, second.truth) == ("gsm8k", {"first": 1}, {"first": -1})
    with pytest.raises(Unusable, match="names step 2 of 2"):
        read("processbench", tmp_path, "gsm8k.jsonl", {**row, "label": 2})


# --- Own pairs, intervals, files --------------------------------------------------------------------


def test_own_pairs_are_told_by_slice() -> None:
    def of(scores: list[float], words: tuple[int, int], confidence: float, strength: float) -> Result:
        return result("web", scores, words=words, truth={"gold": 1, "confidence": confidence, "strength": strength})

    figures = scored("gold", [of([0, 1], (10, 30), 1.0, 1), of([0, 1], (10, 11), 0.6, 3), of([1, 0], (30, 10), 0.6, 1)])
    assert value(figures, "accuracy") == round(2 / 3, 6)
    assert value(figures, "length: preferred is longer") == 1.0
    assert value(figures, "length: preferred is shorter") == 0.0
    assert (value(figures, "agreement: all agreed"), value(figures, "agreement: divided")) == (1.0, 0.5)
    assert (value(figures, "strength: slight"), value(figures, "strength: strong")) == (0.5, 1.0)


def test_a_share_has_wilsons_interval_and_a_mean_of_shares_a_resampled_one() -> None:
    results = [result("natural", [n % 4, 1.5], id=str(n)) for n in range(40)]
    results += [result("manual", [n % 2, 0.5], id=f"m{n}") for n in range(40)]
    found = evaluated(benchmarks.get("llmbar"), results)
    assert found["natural"] == {"value": 0.5, "low": 0.352, "high": 0.648, "n": 40}
    whole = found["average"]
    assert whole["value"] == 0.5 and whole["n"] == 80
    half = 1.96 * math.sqrt(0.25 / 80)
    assert abs(whole["high"] - 0.5 - half) < 0.03 and abs(0.5 - whole["low"] - half) < 0.03
    assert evaluated(benchmarks.get("llmbar"), results) == found


def test_nothing_judged_is_no_evaluation() -> None:
    with pytest.raises(ValueError, match="nothing"):
        evaluated(benchmarks.get("llmbar"), [])


def test_files_are_refused_by_name_and_row(tmp_path: Path) -> None:
    good = {"id": "q", "source": "x", "question": "?", "response_a": "x", "response_b": "y", "gold": "a"}
    with pytest.raises(Unusable, match="rows.jsonl, row 2: it has no 'question'"):
        read("judgebench", tmp_path, "rows.jsonl", good, {**{k: good[k] for k in good if k != "question"}, "id": "r"})
    (tmp_path / "judgebench" / "rows.jsonl").write_text("{broken\n{also\n")
    benchmark = benchmarks.get("judgebench")
    with pytest.raises(Unusable, match="line 1"):
        list(cases(benchmark, tables_of(benchmark, tmp_path)[0]))
    (tmp_path / "rmb").mkdir()
    with pytest.raises(Unusable, match="no file of rows"):
        tables_of(benchmarks.get("rmb"), tmp_path)


def test_what_is_not_on_the_hub_says_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="folder llmbar of TOUCHSTONE_BENCHMARKS.*princeton-nlp/LLMBar"):
        tables_of(benchmarks.get("llmbar"), None)


def test_without_a_network_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Unusable, match="cannot be reached.*folder judgebench of TOUCHSTONE_BENCHMARKS"):
        tables_of(benchmarks.get("judgebench"), None)


def test_rows_come_from_the_hub_with_their_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A real server with the addresses of the Hub; what is asked for is what the benchmark names, and no more."""
    from huggingface_hub import constants

    row = {"pair_id": "p", "source": "livecodebench", "question": "?", "response_A": "x", "response_B": "y"}
    data = orjson.dumps({**row, "label": "A>B"}) + b"\n"
    files = {"data/gpt-00000-of-00001.jsonl": data, "data/claude-00000-of-00001.jsonl": b"other", "README.md": b"#"}
    benchmark = benchmarks.get("judgebench")
    with serving() as (served, address):
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(Unusable, match="no ScalerLab/JudgeBench on the Hub"):
            tables_of(benchmark, None)
        served.repositories["ScalerLab/JudgeBench"] = {"README.md": b"#"}
        with pytest.raises(Unusable, match=r"has none of the files data/gpt-\*"):
            tables_of(benchmark, None)
        served.repositories["ScalerLab/JudgeBench"] = files
        tables, source = tables_of(benchmark, None)
        assert not any("claude" in path for path in served.asked)
    assert source == {"from": "hub", "commits": {"ScalerLab/JudgeBench": SHA}}
    assert [table.name for table in tables] == ["ScalerLab/JudgeBench/data/gpt-00000-of-00001"]
    assert [case.id for case in cases(benchmark, tables)] == ["p"]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "folder", "count"),
    [
        ("judgebench", "bench_judgebench", 350),
        ("llmbar", "bench_llmbar", 192),
        ("rmbench", "bench_rmbench", 570),
        ("processbench", "step_processbench", 1400),
    ],
)
def test_real_files_are_read_whole(real_data: Path, name: str, folder: str, count: int) -> None:
    found = list(cases(benchmarks.get(name), tables_in(real_data / folder)))
    assert len(found) == count and len({(case.subset, case.id) for case in found}) == count
