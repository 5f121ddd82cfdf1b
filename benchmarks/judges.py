"""Do judges of steps and sentences find what people called wrong? Both trainers on real labels, on texts held out.

    TOUCHSTONE_DATA=… python -m benchmarks.judges [--sets steps,tofueval,felm] [--out var/judges.json]

`steps`: `step-judge` learns from MR-GSM8K, MR-Ben and BIG-Bench Mistake, and the benchmark `processbench` asks it about
solutions of ProcessBench. Problems that begin as one of ProcessBench's does are not learnt from. `tofueval` and `felm`:
`sentence-judge` learns faithfulness (of summaries whose documents are not in the data) or truth; every fourth document
or prompt is held out. The encoder is `builtin:minilm`. One setting for all, fixed before the first look at what is held
out. Beside each figure stands what costs nothing: all wrong, the commoner answer, the length of a step, its place.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

import orjson

from benchmarks.reporting import table
from workers.benchmarking import Case, Result, benchmarks, evaluated
from workers.held_out import kept
from workers.held_sentences import Sifted, known
from workers.held_steps import Walked, best_cut
from workers.intervals import estimate
from workers.judging import Candidate, Given, Judged, Spec, judges
from workers.measures import auroc, balanced_accuracy, f_score
from workers.readers import Options, readers
from workers.references import builtin_folder
from workers.rows import CritiquedRow, ItemRow, RowError
from workers.stepped import Stepped, stepped_in
from workers.training import TRAIN, Job, trainers
from workers.writers import Dropped, targets

OUT = Path(__file__).resolve().parent.parent / "var" / "judges.json"
HELD_OUT = 4
RESAMPLES = 200
SETTINGS: dict[str, Any] = {"epochs": 2, "learning_rate": 1e-4, "step_tokens": 1024, "batch_tokens": 2048}
LENGTH = {"steps": 320, "tofueval": 192, "felm": 256}
"""Tokens of a text, at most."""
STEPS = (
    "step_mrgsm8k/solutions", "step_mrben/math", "step_mrben/biology", "step_mrben/chemistry", "step_mrben/medicine",
    "step_bigbench_mistake/dyck_languages", "step_bigbench_mistake/logical_deduction",
    "step_bigbench_mistake/tracking_shuffled_objects", "step_bigbench_mistake/word_sorting",
)  # fmt: skip
PROCESSBENCH = ("gsm8k", "math")
SENTENCES = {"tofueval": ("sent_tofueval/sentences", "faithful"), "felm": ("sent_felm/responses", "correct")}
BEGINNING = 8
"""Two problems that share so many words at their beginning are one, or one made of the other."""

Row = dict[str, Any]


# --- What is read -----------------------------------------------------------------------------------


def lines_of(data: Path, name: str) -> Iterator[Row]:
    """The rows of a file; what is no JSON (FELM has two such lines) is left out, as an import does."""
    with gzip.open(data / f"{name}.jsonl.gz") as lines:
        for line in lines:
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError:
                continue


def items_of(data: Path, name: str, format: str) -> Iterator[ItemRow]:
    """The items of a file by its import format; what an import would refuse is left out."""
    reader = readers.get(format)
    lines = lines_of(data, name)
    gather, many = reader.gather, reader.read_many
    groups = ([*rows] for _, rows in groupby(lines, gather)) if gather else ([row] for row in lines)
    for rows in groups:
        try:
            item = many([*rows], Options()) if many else reader.read(rows[0], Options())
        except RowError:
            continue
        if isinstance(item, ItemRow):
            yield item


def drawn(rows: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the rows, the same ones every time."""
    return Random(0).sample(list(rows), min(most, len(rows)))


def beginning(prompt: Sequence[Any]) -> str:
    words = re.findall(r"\w+", str(prompt[-1]["content"]).casefold())
    return " ".join(words[:BEGINNING])


def solutions(data: Path, most: int) -> tuple[list[Row], int]:
    """Raw answers on solutions, as many from each file, and how many were left out for being in ProcessBench."""
    known_there = {beginning(case.prompt) for case in cases_of(data, 10**9)}
    found, left_out = [], 0
    for name in STEPS:
        items = list(items_of(data, name, "first-error"))
        new = [item for item in items if beginning(item.prompt) not in known_there]
        left_out += len(items) - len(new)
        found += drawn(new, most // len(STEPS))
    return [answered(number, item) for number, item in enumerate(found)], left_out


def answered(number: int, item: ItemRow) -> Row:
    """A row of the target `annotations`: the whole solution, and what was said of its steps."""
    verdicts = [
        {"response": number, "question": one.question, "answer": one.answer, "start": one.start, "end": one.end}
        for answer in item.answers
        for one in answer.verdicts
    ]
    response = {"id": number, "text": item.responses[0].text}
    return {"item": str(item.external_id), "prompt": item.prompt, "responses": [response], "verdicts": verdicts}


def cases_of(data: Path, most: int) -> list[Case]:
    """Solutions of ProcessBench, as many from each file."""
    read = benchmarks.get("processbench").read
    assert read is not None
    found: list[Case] = []
    for name in PROCESSBENCH:
        told = (read(name, number, row) for number, row in enumerate(lines_of(data, f"step_processbench/{name}")))
        found += drawn([case for case in told if case], most // len(PROCESSBENCH))
    return found


def judged_sentences(data: Path, name: str, most: int) -> list[tuple[str, Row]]:
    """Rows of the target `sentence-labels` with their split: a document or prompt is on one side, with all about it."""
    target = targets.get("sentence-labels")
    found: list[tuple[str, Row]] = []
    for item in items_of(data, SENTENCES[name][0], name):
        response, [answer] = item.responses[0], item.answers
        given = CritiquedRow(
            item.external_id or "", 0, item.prompt, item.context, response.text, response.model, response.unit,
            response.units, answer, 0, "",
        )  # fmt: skip
        side = str(dict(item.metadata).get("doc_id") or item.prompt[-1]["content"])
        split = "test" if zlib.crc32(b"split" + side.encode()) % HELD_OUT == 0 else TRAIN
        try:
            found.append((split, target.row(given)))  # type: ignore[arg-type]
        except Dropped:
            continue
    return drawn(found, most)


# --- What is learnt ---------------------------------------------------------------------------------


def job_of(
    name: str, place: Path, trainer: str, target: str, rows: dict[str, list[Row]], seed: int, **given: Any
) -> Job:
    for split, some in rows.items():
        (place / f"{split}.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in some))
    settings = trainers.get(trainer).settings(**{**SETTINGS, "max_length": LENGTH[name], **given})
    lines = {split: f"{split}.jsonl" for split in rows}
    log = lambda line: print(f"  {line}", file=sys.stderr, flush=True)  # noqa: E731
    return Job(place, target, lines, builtin_folder("minilm"), place, settings, seed, log=log)


def steps(data: Path, most: int, held: int, seed: int) -> Row:
    """Train `step-judge`, put ProcessBench to it and to what costs nothing."""
    rows, left_out = solutions(data, most)
    cases = cases_of(data, held)
    with tempfile.TemporaryDirectory() as folder:
        job = job_of("steps", Path(folder), "step-judge", "annotations", {TRAIN: rows}, seed)
        began = time.process_time()
        told = trainers.get("step-judge").train(job)
        took = time.process_time() - began
        config = {**told.get("config", {}), "max_length": LENGTH["steps"]}
        spec = Spec(0, "step", f"hf:{job.model}", config=config)
        given = [Given(n, one.prompt, [Candidate(n, one.responses[0], units=one.units)]) for n, one in enumerate(cases)]
        said = list(judges.get("step").open(spec).judge(given))
        learnt = stepped_in(job, TRAIN)
    ways = {"step-judge": [values_of(case, one) for case, one in zip(cases, said, strict=True)]}
    cuts = {"step-judge": config.get("threshold")}
    for way, value in FREE.items():
        cuts[way] = best_cut([walked(row, value) for row in learnt])
        ways[way] = [
            [value(case.responses[0][start:end], n) for n, (start, end) in enumerate(case.units)] for case in cases
        ]
    return {
        "learnt_from": len(rows), "left_out": left_out, "held_out": len(cases), "cpu_seconds": round(took),
        "truncated": sum(one.truncated for one in said),
        "ways": {way: asked(cases, values, cuts[way]) for way, values in ways.items()},
    }  # fmt: skip


FREE: dict[str, Callable[[str, int], float]] = {
    "longer steps": lambda step, place: 1 / (1 + len(step.split())),
    "later steps": lambda step, place: 1 / (2 + place),
    "the first step": lambda step, place: 0.25,
    "none is wrong": lambda step, place: 0.75,
}
"""How good a step is by what costs nothing. The threshold is the best on what the judge learns from."""


def walked(row: Stepped, value: Callable[[str, int], float]) -> Walked:
    values = [value(row.response[start:end], n) for n, (start, end) in enumerate(row.units)]
    return Walked(row.split, row.row, row.item, values, [label >= 0.5 for label in row.labels], [])


def values_of(case: Case, judged: Judged) -> list[float | None]:
    found = {tuple(place): value for one in judged.maps for place, value in zip(one.offsets, one.values, strict=True)}
    return [found.get((start, end)) for start, end in case.units]


def asked(cases: Sequence[Case], values: Sequence[Sequence[float | None]], cut: float | None) -> Row:
    """ProcessBench's figures with their intervals, and the area under the ROC curve over steps that were judged."""
    results = [
        Result(case.id, case.subset, {**case.truth, "threshold": cut or 0.5}, steps=some)
        for case, some in zip(cases, values, strict=True)
    ]
    pairs = [
        [(-value, n == one.truth["first"]) for n, value in enumerate(one.steps) if value is not None and n <= last(one)]
        for one in results
    ]
    return {"threshold": cut, **evaluated(benchmarks.get("processbench"), results), "AUROC of steps": ranked(pairs)}


def last(result: Result) -> int:
    """The last step that people judged."""
    return len(result.steps) if result.truth["first"] < 0 else int(result.truth["first"])


def sentences(name: str, data: Path, most: int, seed: int) -> Row:
    """Train `sentence-judge`; its figures on held-out answers, which were looked at once, at the end."""
    found = judged_sentences(data, name, most)
    rows = {split: [row for where, row in found if where == split] for split in (TRAIN, "test")}
    stage = SENTENCES[name][1]
    with tempfile.TemporaryDirectory() as folder:
        job = job_of(name, Path(folder), "sentence-judge", "sentence-labels", rows, seed, speaks_of=stage)
        began = time.process_time()
        from workers.nn import tokens

        tokens.LOOKED_AT = 0
        told = trainers.get("sentence-judge").train(job)
        took = time.process_time() - began
        held = [known([Sifted(**row)], stage) for row in kept(Path(folder))]
    return {
        "learnt_from": len(rows[TRAIN]), "held_out": len(rows["test"]), "cpu_seconds": round(took), "stage": stage,
        "answers": told["held_out"], "sentences": told[stage], "threshold": told["threshold"],
        "intervals": sure(held, float(told["threshold"])),
    }  # fmt: skip


# --- Intervals --------------------------------------------------------------------------------------


def resampled(rows: Sequence[Any], measure: Callable[[list[Any]], float | None]) -> list[float]:
    """The middle 95 % of a measure over resampled texts."""
    chance = Random(0)
    values = [measure([one for row in chance.choices(rows, k=len(rows)) for one in row]) for _ in range(RESAMPLES)]
    told = [value for value in values if value is not None]
    around = estimate(0.0, told)
    return [round(around.low, 3), round(around.high, 3)]


def ranked(rows: Sequence[Sequence[tuple[float, bool]]]) -> Row:
    def measure(told: Sequence[tuple[float, bool]]) -> float | None:
        return auroc([value for value, _ in told], [bad for _, bad in told])

    low, high = resampled(rows, measure)
    return {"value": measure([one for row in rows for one in row]), "low": low, "high": high}


def sure(rows: Sequence[Sequence[tuple[float, bool, int]]], cut: float) -> dict[str, list[float]]:
    """Of the figures on sentences, over resampled answers."""

    def area(told: list[Any]) -> float | None:
        return auroc([-value for value, _, _ in told], [not good for _, good, _ in told])

    def balanced(told: list[Any]) -> float | None:
        return balanced_accuracy([value < cut for value, _, _ in told], [not good for _, good, _ in told])

    def f1(told: list[Any]) -> float | None:
        hits = sum(value < cut and not good for value, good, _ in told)
        return f_score(
            hits, sum(value < cut for value, _, _ in told) - hits, sum(not good for _, good, _ in told) - hits
        )

    def always(told: list[Any]) -> float | None:
        bad = sum(not good for _, good, _ in told)
        return f_score(bad, len(told) - bad, 0)

    measures = {"auroc": area, "balanced_accuracy": balanced, "f1": f1, "always_no": always}
    return {name: resampled(rows, measure) for name, measure in measures.items()}


# --- Told -------------------------------------------------------------------------------------------


def report(told: dict[str, Row]) -> str:
    """The figures as Markdown tables."""
    parts = []
    if one := told.get("steps"):
        names = (
            "F1",
            *(f"{subset} {what}" for subset in PROCESSBENCH for what in ("error", "correct")),
            "AUROC of steps",
        )
        lines = [(way, *(between(found.get(name)) for name in names)) for way, found in one["ways"].items()]
        parts.append(
            f"Steps: {one['learnt_from']} solutions to learn from ({one['left_out']} left out: ProcessBench has their "
            f"problem), {one['held_out']} of ProcessBench, {one['truncated']} cut; {one['cpu_seconds']} CPU seconds."
        )
        parts.append(table(("", *names), lines))
    some = {name: one for name, one in told.items() if name != "steps"}
    if some:
        heads = (
            "Sentences", "answers learnt from", "held out", "sentences", "bad", "balanced accuracy", "F1", "all bad",
            "AUROC", "by length", "answers right", "commoner", "CPU s",
        )  # fmt: skip
        parts.append(table(heads, [sentence_row(name, one) for name, one in some.items()]))
    return "\n\n".join(parts)


def sentence_row(name: str, one: Row) -> tuple[str, ...]:
    found, sure = one["sentences"], one["intervals"]

    def told(key: str) -> str:
        return between({"value": found[key], "low": sure[key][0], "high": sure[key][1]})

    answers = one["answers"]
    return (
        f"{name}, {one['stage']}", str(one["learnt_from"]), str(one["held_out"]), str(found["n"]), f"{found['no']:.3f}",
        told("balanced_accuracy"), told("f1"), told("always_no"), told("auroc"), f"{found['longer']:.3f}",
        between({"value": answers["accuracy"], **answers}), f"{answers['majority']:.3f}", str(one["cpu_seconds"]),
    )  # fmt: skip


def between(found: Row | None) -> str:
    if found is None or found["value"] is None:
        return "–"
    sure = "" if found["low"] is None else f" ({found['low']:.3f} to {found['high']:.3f})"
    return f"{found['value']:.3f}{sure}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", type=Path, default=Path(os.environ.get("TOUCHSTONE_DATA") or "data"))
    add("--sets", default="steps,tofueval,felm")
    add("--most", type=int, default=540, help="solutions to learn from, or answers in all (540)")
    add("--held-out", type=int, default=300, help="solutions of ProcessBench (300)")
    add("--seed", type=int, default=0)
    add("--out", type=Path, default=OUT)
    add("--report", type=Path, help="print the tables of earlier figures")
    given = parser.parse_args()
    if given.report:
        print(report(json.loads(given.report.read_text())))
        return
    if not (given.data / "step_processbench").is_dir():
        raise SystemExit("NOTHING IS MEASURED: set TOUCHSTONE_DATA to the folder that holds step_processbench, …")
    told: dict[str, Row] = {}
    for name in given.sets.split(","):
        print(name, file=sys.stderr, flush=True)
        if name == "steps":
            told[name] = steps(given.data, given.most, given.held_out, given.seed)
        else:
            told[name] = sentences(name, given.data, given.most, given.seed)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(told, indent=1))
    print(report(told))


if __name__ == "__main__":
    main()
