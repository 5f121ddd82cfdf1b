"""What must be true of every row of a target, whoever reads it: all rows are looked at, one by one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from workers.checks import ROLES
from workers.consumers import Consumer, Files, Refused, consumers
from workers.writers import targets

Row = Mapping[str, Any]
COMPARED = 50
"""Rows of every row group whose Parquet is compared with their JSON line."""


class Wrong(Exception):
    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


def read(files: Files) -> str:
    """Every JSON line against the rules, and the Parquet files against the schema and the lines."""
    target, seen = targets.get(files.target).as_of(files.edition), set()
    rule, columns, once = RULES.get(files.target, nothing_more), target.columns, files.target in ONCE
    for split in files.lines:
        name, count = f"{split}.jsonl", 0
        tables = Tables(files, split)
        beside = next(tables.rows, None)
        for number, row in files.read_lines(split):
            try:
                if not isinstance(row, dict) or tuple(row) != columns:
                    raise Wrong("", f"must have the columns {', '.join(columns)}")
                rule(row)
                if once:
                    key = hash(str(row["id"]))
                    if key in seen:
                        raise Wrong("id", "is there twice")
                    seen.add(key)
            except Wrong as wrong:
                raise Refused(wrong.reason, file=name, row=number, column=wrong.column) from None
            except (KeyError, TypeError, AttributeError, IndexError) as error:
                raise Refused(f"has not the shape of {files.target}: {error!r}", file=name, row=number) from None
            if beside and beside.number == number:
                if column := first_difference(row, beside.row):
                    raise Refused("differs between Parquet and JSON lines", file=beside.file, row=number, column=column)
                beside = next(tables.rows, None)
            count = number + 1
        if count != files.rows[split]:
            raise Refused(f"has {count} rows, not {files.rows[split]}", file=name)
        if beside or tables.count != count:
            raise Refused(f"has {tables.counted()} rows in Parquet, not {count}", file=split)
    return f"all {files.total} rows keep the rules of {files.target}"


class Compared(NamedTuple):
    """A row of a Parquet file: its number in the split, and what the file has of it."""

    number: int
    file: str
    row: Row


class Tables:
    """The Parquet files of a split, which have the schema of its target: the first rows of every row group.

    `count` are the rows of the files that were read so far.
    """

    def __init__(self, files: Files, split: str) -> None:
        self.paths, self.count = files.paths().get(split, []), 0
        self.rows = self.first_rows(targets.get(files.target).as_of(files.edition).schema())

    def first_rows(self, schema: Any) -> Iterator[Compared]:
        import pyarrow.parquet as pq

        for path in self.paths:
            name = path.rpartition("/")[2]
            try:
                table = pq.ParquetFile(path)
            except Exception as error:
                raise Refused(f"is no Parquet file: {error}", file=name) from None
            if not table.schema_arrow.equals(schema):
                raise Refused("has another schema than the target", file=name)
            for group in range(table.num_row_groups):
                made, begin = table.read_row_group(group).slice(0, COMPARED).to_pylist(), self.count
                self.count += table.metadata.row_group(group).num_rows
                for number, row in enumerate(made, begin):
                    yield Compared(number, name, row)

    def counted(self) -> int:
        """The rows of all the files."""
        for _ in self.rows:
            pass
        return self.count


def first_difference(line: Row, row: Row) -> str:
    """A column that says another thing in the one than in the other; what Parquet holds as JSON is passed over."""
    for column, value in line.items():
        made = row.get(column)
        if type(made) is type(value) and not isinstance(value, dict) and not says(value, made):
            return column
    return ""


def says(value: Any, made: Any) -> bool:
    """Whether a JSON value says all that its Parquet does, which spells nulls out and has no pictures of messages."""
    if isinstance(made, list):
        return (
            isinstance(value, list)
            and len(value) == len(made)
            and all(says(*two) for two in zip(value, made, strict=True))
        )
    if isinstance(made, dict):
        return isinstance(value, dict) and all(says(value.get(name), one) for name, one in made.items())
    return bool(value == made)


def conversation(row: Row, column: str, *, last: str = "", first: str = "") -> list[Row]:
    """The messages of a column: known roles, texts; the last (and first) of a role."""
    found: list[Row] = row[column]
    if not isinstance(found, list) or not found:
        raise Wrong(column, "must be a list of messages")
    for message in found:
        content = message.get("content")
        if message.get("role") not in ROLES or "content" not in message:
            raise Wrong(column, f"has no role that is known: {message.get('role')!r}")
        if not isinstance(content, str):
            raise Wrong(column, "has a content that is no text")
        if content[:1] == "<" and content.startswith(("<s>", "<|begin_of_text|>", "<bos>")):
            raise Wrong(column, "begins with a token that the tokenizer adds")
    if last and found[-1]["role"] != last:
        raise Wrong(column, f"ends with {found[-1]['role']}, not {last}")
    if first and found[0]["role"] != first:
        raise Wrong(column, f"begins with {found[0]['role']}, not {first}")
    if not str(found[-1]["content"]).strip() and "images" not in found[-1]:
        raise Wrong(column, "is empty")
    return found


def explicit(row: Row) -> None:
    prompt = conversation(row, "prompt")
    if prompt[-1]["role"] == "assistant":
        raise Wrong("prompt", "ends with the assistant: the responses would go on from there")
    sides = [conversation(row, side, first="assistant") for side in ("chosen", "rejected")]
    if sides[0] == sides[1]:
        raise Wrong("rejected", "is the same as chosen")
    number(row, "margin")


def traces(row: Row) -> None:
    if not isinstance(row["reasons"], list) or not all(isinstance(one, str) and one for one in row["reasons"]):
        raise Wrong("reasons", "must be a list of texts that say something")
    explicit({**row, "chosen": row["chosen"] or [{"role": "assistant", "content": "?"}]})


def implicit(row: Row) -> None:
    chosen, rejected = conversation(row, "chosen"), conversation(row, "rejected")
    if chosen == rejected:
        raise Wrong("rejected", "is the same as chosen")
    if chosen[0] != rejected[0] or chosen[0]["role"] == "assistant":
        raise Wrong("rejected", "does not begin with the prompt that chosen begins with")
    for column, messages in (("chosen", chosen), ("rejected", rejected)):
        if not any(message["role"] == "assistant" for message in messages):
            raise Wrong(column, "has no response")
        doubled(messages, column)
    number(row, "margin")


def doubled(messages: list[Row], column: str) -> None:
    """A prompt that stands twice, once of its own and once in the response."""
    half = len(messages) // 2
    for size in range(1, half + 1):
        if messages[:size] == messages[size : 2 * size] and messages[0]["role"] != "assistant":
            raise Wrong(column, "has its prompt twice")


def unpaired(row: Row) -> None:
    conversation(row, "prompt")
    conversation(row, "completion", first="assistant")
    if not isinstance(row["label"], bool):
        raise Wrong("label", "must be true or false")


def supervised(row: Row) -> None:
    if conversation(row, "prompt")[-1]["role"] == "assistant":
        raise Wrong("prompt", "ends with the assistant")
    conversation(row, "completion", first="assistant")


def stepwise(row: Row) -> None:
    words(row, "prompt")
    if len(row["completions"]) != len(row["labels"]) or not row["completions"]:
        raise Wrong("labels", f"{len(row['labels'])} labels for {len(row['completions'])} steps")
    if not all(isinstance(step, str) and step.strip() for step in row["completions"]):
        raise Wrong("completions", "has a step that is empty or no text")
    if not all(isinstance(label, bool) for label in row["labels"]):
        raise Wrong("labels", "must be true or false each")


def bench(row: Row) -> None:
    for column in row:
        words(row, column)
    if row["chosen"] == row["rejected"]:
        raise Wrong("rejected", "is the same as chosen")


def safety(row: Row) -> None:
    for column in ("prompt", "response_0", "response_1"):
        words(row, column)
    if row["response_0"] == row["response_1"]:
        raise Wrong("response_1", "is the same as response_0")
    for column in ("better_response_id", "safer_response_id"):
        if row[column] not in (0, 1):
            raise Wrong(column, "must be 0 or 1")
    for n in (0, 1):
        if not isinstance(row[f"is_response_{n}_safe"], bool):
            raise Wrong(f"is_response_{n}_safe", "must be true or false")


def marked(row: Row) -> None:
    """Text2Grad: each span stands at its offsets, in code points."""
    for spans, offsets in (("good_spans", "good_offsets"), ("poor_spans", "poor_offsets")):
        if len(row[spans]) != len(row[offsets]):
            raise Wrong(offsets, f"{len(row[offsets])} places for {len(row[spans])} spans")
        for beside in (spans.replace("spans", "comments"), spans.replace("spans", "types")):
            if beside in row and len(row[beside]) != len(row[spans]):
                raise Wrong(beside, f"{len(row[beside])} for {len(row[spans])} spans")
        for quote, (start, end) in zip(row[spans], row[offsets], strict=True):
            if row["response"][start:end] != quote:
                raise Wrong(offsets, f"{start} to {end} holds {row['response'][start:end]!r}, not {quote!r}")


def sentences(row: Row) -> None:
    until = 0
    for one in row["sentences"]:
        if row["response"][one["start"] : one["end"]] != one["text"]:
            raise Wrong("sentences", f"{one['start']} to {one['end']} does not hold its text")
        if one["start"] < until:
            raise Wrong("sentences", "overlap")
        until = one["end"]


def judged(row: Row) -> None:
    words(row, "prompt")
    words(row, "response")
    if not isinstance(row["correctness"], bool):
        raise Wrong("correctness", "must be true or false")


def labelled(row: Row) -> None:
    """doccano: spans inside of the text."""
    inside(words(row, "text"), [(one[0], one[1]) for one in row["label"]], "label")


def records(row: Row) -> None:
    """Argilla: spans of people and models inside of the response."""
    people = [span for one in row["responses"]["spans"] or [] for span in one["value"]]
    model = (row["suggestions"]["spans"] or {}).get("value") or []
    text = words(row["fields"], "response")
    inside(text, [(span["start"], span["end"]) for span in [*people, *model]], "responses")


def tasks(row: Row) -> None:
    """Label Studio: each region's text stands at its offsets, in UTF-16 code units."""
    units = words(row["data"], "response").encode("utf-16-le")
    for told in [*row["annotations"], *row["predictions"]]:
        for one in told["result"]:
            value = one["value"]
            if one["type"] == "labels":
                found = units[2 * value["start"] : 2 * value["end"]].decode("utf-16-le", "replace")
                if found != value["text"]:
                    raise Wrong("annotations", f"{value['start']} to {value['end']} holds {found!r}")


def errors(row: Row) -> None:
    """MQM: the marks of one error are there once and closed."""
    for column in ("source", "target"):
        if row[column].count("<v>") != row[column].count("</v>"):
            raise Wrong(column, "has a mark that is not closed")
    if row["severity"] != "no-error" and row["category"] == "No-error":
        raise Wrong("severity", "says an error where the category says none")


def web(row: Row) -> None:
    """W3C: the quote of each annotation stands at its position, in code points."""
    text = row["touchstone"]["response"]
    for one in row["items"]:
        selectors = {each["type"]: each for each in one["target"].get("selector", [])}
        place, quote = selectors.get("TextPositionSelector"), selectors.get("TextQuoteSelector")
        if place and quote and text[place["start"] : place["end"]] != quote["exact"]:
            raise Wrong("items", f"{place['start']} to {place['end']} does not hold {quote['exact']!r}")


def own(row: Row) -> None:
    """Touchstone's: quotes at their places in the response that they are about."""
    conversation(row, "prompt")
    for answer in row["answers"]:
        if answer.get("response", 0) >= len(row["responses"]):
            raise Wrong("answers", "speak of a response that is not there")
        text = row["responses"][answer.get("response", 0)]["text"]
        for one in answer.get("critiques", []):
            if one.get("quote") and one.get("start") is not None and text[one["start"] : one["end"]] != one["quote"]:
                raise Wrong("answers", f"{one['start']} to {one['end']} does not hold {one['quote']!r}")


def raw(row: Row) -> None:
    texts = {one["id"]: one["text"] for one in row["responses"]}
    if not isinstance(row["answer"].get("annotation"), int):
        raise Wrong("answer", "names no annotation")
    for one in row["preferences"]:
        if one["both_bad"] == (one["value"] is not None) or not -3 <= (one["value"] or 0) <= 3:
            raise Wrong("preferences", f"is no preference: {one['value']}")
    for one in row["critiques"]:
        placed = one["start"] is not None and not one["message"]
        if placed and one["quote"] not in texts.get(one["response"], one["quote"]):
            raise Wrong("critiques", f"{one['quote']!r} is not in its response")


def inside(text: str, spans: list[tuple[int, int]], column: str) -> None:
    for start, end in spans:
        if not 0 <= start < end <= len(text):
            raise Wrong(column, f"{start} to {end} is not inside of the text of {len(text)} characters")


def words(row: Row, column: str) -> str:
    found = row[column]
    if not isinstance(found, str) or not found.strip():
        raise Wrong(column, "must be a text that says something")
    return found


def number(row: Row, column: str) -> None:
    found = row.get(column, 0.0)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found) or found < 0:
        raise Wrong(column, f"must be a number from 0 on, not {found!r}")


def nothing_more(_row: Row) -> None:
    """Targets whose reader says all there is to say."""


RULES: dict[str, Callable[[Row], None]] = {
    "trl-preference": explicit,
    "trl-preference-implicit": implicit,
    "redi": traces,
    "openrlhf": explicit,
    "trl-unpaired": unpaired,
    "trl-sft": supervised,
    "trl-stepwise": stepwise,
    "rewardbench": bench,
    "pku-saferlhf": safety,
    "text2grad": marked,
    "sentence-labels": sentences,
    "critique-verdict": judged,
    "doccano": labelled,
    "argilla-spans": records,
    "label-studio": tasks,
    "mqm-tsv": errors,
    "w3c": web,
    "touchstone": own,
    "annotations": raw,
}
ONCE = {"argilla-spans", "touchstone"}
"""Targets with a row for each id, once."""

consumers.add(Consumer(name="rules", package="", read=read, load=lambda: list(targets)))
