"""Every target is written, found good, then corrupted in several ways: each must be caught, and named by its row."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from tests.test_critique_formats import COMPARED, NASTY, critiqued, critiques_on
from workers.consumers import Files, Refused, consumers, touchstone
from workers.readers import readers
from workers.rows import AnsweredRow, DecidedRow, VerdictRow
from workers.tables import Table
from workers.writers import targets

TEXT = NASTY["emoji before and inside"]
ASK = [{"role": "user", "content": "Why? 🐟"}]
Row = dict[str, Any]
Change = Callable[[Row], Any]


def decided(n: int = 0) -> DecidedRow:
    sides = [[{"role": "assistant", "content": f"{TEXT} {n} {side}"}] for side in "ab"]
    return DecidedRow(ASK, *sides, margin=1.5, confidence=1.0, item=f"q{n}", models=("m1", "m2"))


def answered() -> AnsweredRow:
    said = {"start": 0, "end": 3, "quote": TEXT[:3], "message": 0, "response": 7}
    return AnsweredRow(
        item="q1", prompt=ASK, responses=[{"id": 7, "text": TEXT, "model": "m"}], answer={"annotation": 3},
        preferences=[{"axis": "overall", "value": 1, "both_bad": False, "probability": None}],
        critiques=[said], verdicts=[], ranks=[],
    )  # fmt: skip


UNITS = [(0, 3), (3, len(TEXT))]
VERDICTS = [VerdictRow("correct", False, comment="no"), VerdictRow("clarity", 4)]
JUDGED = [VerdictRow("faithful", True, start=0, end=3), VerdictRow("step", 1, start=0, end=3)]


def given(name: str) -> list[Row]:
    """Three good rows of a target."""
    target = targets.get(name)
    if target.source == "decided":
        return [row for n in range(3) for row in target.rows(decided(n))]
    if target.source == "compared":
        return target.rows(COMPARED) * 3
    if target.source == "answered":
        return target.rows(answered()) * 3
    unit = {"sentence-labels": "sentence", "trl-stepwise": "step"}.get(name, "")
    made = []
    for n in range(3):
        more: dict[str, Any] = {"unit": unit, "units": UNITS, "verdicts": [*VERDICTS, *JUDGED]} if unit else {}
        one = critiqued(TEXT, critiques_on(TEXT), **{"verdicts": VERDICTS, "item": f"q{n}", "response_id": n, **more})
        if name == "trl-stepwise":
            steps = [VerdictRow("step", 1, start=start, end=end) for start, end in UNITS]
            one = critiqued(TEXT, [], unit=unit, units=UNITS, verdicts=steps, item=f"q{n}", response_id=n)
        made += target.rows(one)
    return made


def write(folder: Path, name: str, rows: list[Row]) -> Files:
    """The rows as a version has them; what Parquet does not take is in the JSON lines alone."""
    try:
        with Table(folder, "train", targets.get(name).schema()) as table:
            for row in rows:
                table.add(row)
    except (pa.ArrowException, TypeError, KeyError, AttributeError, ValueError):
        write(folder, name, given(name))
        (folder / "train.jsonl").write_bytes(b"".join(lenient(row) for row in rows))
    return Files(folder, name, {"train": ["train.parquet"]}, {"train": ["train.jsonl"]}, {"train": len(rows)})


def lenient(row: Any) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def read(files: Files) -> None:
    """What is asked of every version, without heavy packages."""
    for name in ("rules", *targets.get(files.target).consumers):
        if not consumers.get(name).package:
            consumers.get(name).read(files)


@pytest.mark.parametrize("name", [target.name for target in targets])
def test_what_we_write_is_found_good(name: str, tmp_path: Path) -> None:
    read(write(tmp_path, name, given(name)))


def without(column: str) -> Change:
    return lambda row: row.pop(column)


def put(value: Any, *path: Any) -> Change:
    """Change what stands at a path."""

    def change(row: Row) -> None:
        at: Any = row
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value(at[path[-1]]) if callable(value) else value

    return change


def say(text: str) -> Change:
    return lambda content: text + content


MESSAGES: dict[str, Change] = {
    "an unknown role": put("human", "prompt", 0, "role"),
    "a content that is a list": put([{"type": "text", "text": "Why?"}], "prompt", 0, "content"),
    "a prompt that is a text": put("Why?", "prompt"),
    "a prompt that ends with the assistant": lambda row: row["prompt"].append({"role": "assistant", "content": "Hm."}),
    "an empty prompt": put([], "prompt"),
}
PAIRS: dict[str, Change] = {
    **MESSAGES,
    "an empty response": put("", "chosen", 0, "content"),
    "blanks for a response": put(" \n", "rejected", 0, "content"),
    "equal responses": lambda row: row.update(rejected=copy.deepcopy(row["chosen"])),
    "a response by the user": put("user", "chosen", 0, "role"),
    "the prompt in the response": lambda row: row.update(chosen=row["prompt"] + row["chosen"]),
    "a token that the tokenizer adds": put(say("<s>"), "chosen", 0, "content"),
}
MARGIN: dict[str, Change] = {
    "no number for a margin": put(math.nan, "margin"),
    "an endless margin": put(math.inf, "margin"),
    "a margin below nothing": put(-1.0, "margin"),
    "a text for a margin": put("1", "margin"),
}
MUTATIONS: dict[str, dict[str, Change]] = {
    "trl-preference": PAIRS,
    "openrlhf": PAIRS | MARGIN,
    "redi": PAIRS | {"reasons that are a text": put("wrong", "reasons"), "an empty reason": put([""], "reasons")},
    "trl-preference-implicit": MARGIN | {
        "equal conversations": lambda row: row.update(rejected=copy.deepcopy(row["chosen"])),
        "another prompt on one side": put("Who?", "rejected", 0, "content"),
        "the prompt twice": lambda row: row.update(chosen=ASK + row["chosen"], rejected=ASK + row["rejected"]),
        "no response": lambda row: row.update(chosen=row["chosen"][:1]),
        "an empty response": put("", "chosen", 1, "content"),
    },
    "trl-sft": MESSAGES | {
        "an empty completion": put("", "completion", 0, "content"),
        "a completion by the user": put("user", "completion", 0, "role"),
    },
    "trl-unpaired": {
        "a number for a label": put(1, "label"),
        "no label": put(None, "label"),
        "an empty completion": put("", "completion", 0, "content"),
        "a completion by the user": put("user", "completion", 0, "role"),
    },
    "trl-stepwise": {
        "too few labels": lambda row: row["labels"].pop(),
        "too many labels": lambda row: row["labels"].append(True),
        "numbers for labels": put([1, 0], "labels"),
        "an empty step": put("", "completions", 0),
        "no steps": lambda row: row.update(completions=[], labels=[]),
    },
    "rewardbench": {
        "messages for a prompt": put(ASK, "prompt"),
        "equal responses": lambda row: row.update(rejected=row["chosen"]),
        "an empty response": put("", "chosen"),
        "no model": put("", "rejected_model"),
    },
    "pku-saferlhf": {
        "equal responses": lambda row: row.update(response_1=row["response_0"]),
        "a third response": put(2, "better_response_id"),
        "a text for safe": put("yes", "is_response_0_safe"),
        "an empty prompt": put("", "prompt"),
    },
    "text2grad": {
        "an offset too far": put(lambda one: one + 1, "poor_offsets", 0, 0),
        "a quote too few": lambda row: row["poor_spans"].pop(),
        "a comment too few": lambda row: row["poor_comments"].pop(),
        "a type too many": lambda row: row["poor_types"].append("x"),
        "another text": put(say("x"), "response"),
        "offsets in UTF-16": lambda row: row.update(poor_offsets=[utf16(row, at) for at in row["poor_offsets"]]),
    },
    "sentence-labels": {
        "an offset too far": put(lambda one: one + 1, "sentences", 0, "start"),
        "another text": put(say("x"), "response"),
        "sentences that overlap": lambda row: row["sentences"].append(dict(row["sentences"][0])),
    },
    "critique-verdict": {
        "a text for the verdict": put("false", "correctness"),
        "no verdict": put(None, "correctness"),
        "an empty response": put("", "response"),
    },
    "mqm-tsv": {
        "a mark that is not closed": put(lambda text: text.replace("</v>", "") + "<v>", "target"),
        "an error without a category": lambda row: row.update(category="No-error", severity="major"),
    },
    "doccano": {
        "an end behind the text": put(10_000, "label", 0, 1),
        "a start behind the end": put(9_999, "label", 0, 0),
        "an empty text": put("", "text"),
    },
    "argilla-spans": {
        "an end behind the text": put(10_000, "responses", "spans", 0, "value", 0, "end"),
        "an empty response": put("", "fields", "response"),
        "the same id twice": put("q0/0", "id"),
    },
    "label-studio": {
        "offsets in code points": put(lambda one: one - 1, "annotations", 0, "result", 0, "value", "start"),
        "another text": put(say("x"), "data", "response"),
    },
    "w3c": {
        "an offset too far": lambda row: place_of(row).update(start=place_of(row)["start"] + 1),
        "another text": put(say("x"), "touchstone", "response"),
    },
    "touchstone": {
        "an offset too far": put(lambda one: one + 1, "answers", 0, "critiques", 0, "start"),
        "a response that is not there": put(7, "answers", 0, "response"),
        "another text": put(say("x"), "responses", 0, "text"),
        "the same id twice": put("q0", "id"),
    },
    "annotations": {
        "no annotation": put({}, "answer"),
        "a value beyond the scale": put(4, "preferences", 0, "value"),
        "a value and both bad": put(True, "preferences", 0, "both_bad"),
        "a quote of another text": put("zzz", "critiques", 0, "quote"),
    },
}  # fmt: skip


def utf16(row: Row, span: list[int]) -> list[int]:
    return [len(row["response"][:at].encode("utf-16-le")) // 2 for at in span]


def place_of(row: Row) -> Row:
    for one in row["items"]:
        for selector in one["target"].get("selector", []):
            if selector["type"] == "TextPositionSelector" and selector["start"] < selector["end"]:
                return selector
    raise AssertionError("no place")


def test_every_target_is_corrupted() -> None:
    assert MUTATIONS.keys() == {target.name for target in targets}
    assert all(len(each) >= 2 for each in MUTATIONS.values())


@pytest.mark.parametrize(("name", "how"), [(name, how) for name, each in MUTATIONS.items() for how in each])
def test_a_corrupted_row_is_caught_and_named(name: str, how: str, tmp_path: Path) -> None:
    rows = [orjson.loads(orjson.dumps(row)) for row in given(name)]
    before = copy.deepcopy(rows)
    MUTATIONS[name][how](rows[-1])
    assert rows != before, "the mutation changed nothing"
    with pytest.raises(Refused) as caught:
        read(write(tmp_path, name, rows))
    assert caught.value.row == len(rows) - 1 or "columns" in caught.value.reason, str(caught.value)
    with pytest.raises(Refused):  # of many rows nobody else looks at each
        consumers.get("rules").read(write(tmp_path, name, rows))


READ_BACK = [target.name for target in targets if "touchstone" in target.consumers]


@pytest.mark.parametrize("name", READ_BACK)
def test_of_many_rows_some_stretches_are_read_back(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    """Those of an item that begins before a stretch, or ends behind it, are none of it."""
    monkeypatch.setattr(touchstone, "WHOLE", 4)
    monkeypatch.setattr(touchstone, "STRETCH", 3)
    monkeypatch.setattr(touchstone, "APART", 5)
    rows = [row for row in given(name) for _ in range(4)]
    told = touchstone.read(write(tmp_path, name, rows))
    assert f"of {len(rows)} rows, the first 3 of each 5, were read back as " in told
    gathers = readers.get(name).gather
    among = {n for n in range(len(rows)) if n % 5 < 3}
    assert int(told.split()[0]) == len(among) if gathers is None else int(told.split()[0]) < len(among)


def test_what_is_read_back_of_many_rows_is_read_as_strictly(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(touchstone, "WHOLE", 4)
    monkeypatch.setattr(touchstone, "STRETCH", 3)
    monkeypatch.setattr(touchstone, "APART", 5)
    rows = [copy.deepcopy(given("trl-preference")[0]) for _ in range(12)]
    rows[6]["chosen"] = ""
    with pytest.raises(Refused) as caught:
        touchstone.read(write(tmp_path, "trl-preference", rows))
    assert caught.value.row == 6


@pytest.mark.parametrize("name", [target.name for target in targets])
def test_a_damaged_file_is_caught(name: str, tmp_path: Path) -> None:
    """A column less, a column more, a line cut, a row lost, Parquet cut or swapped."""
    rows = given(name)
    column = targets.get(name).columns[-1]

    def broken(change: Callable[[Path], None]) -> str:
        files = write(tmp_path, name, rows)
        change(tmp_path)
        with pytest.raises(Refused) as caught:
            read(files)
        return str(caught.value)

    def lines(change: Callable[[list[Row]], Any]) -> Callable[[Path], None]:
        def apply(folder: Path) -> None:
            found = [copy.deepcopy(row) for row in rows]
            change(found)
            (folder / "train.jsonl").write_bytes(b"".join(lenient(row) for row in found))

        return apply

    def cut(file: str) -> Callable[[Path], None]:
        return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:-9])  # type: ignore[func-returns-value]

    assert "columns" in broken(lines(lambda found: found[1].pop(column)))
    assert "columns" in broken(lines(lambda found: found[1].update(more=1)))
    assert "rows" in broken(lines(lambda found: found.pop()))
    assert "JSON" in broken(cut("train.jsonl"))
    assert "Parquet" in broken(cut("train.parquet"))
    assert "Parquet" in broken(lambda folder: write(folder, name, rows[:-1]) and lines(lambda found: None)(folder))
