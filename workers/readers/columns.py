"""Any flat table: columns mapped by name, such as {"prompt": "question", "response_a": "answer1"}.

Without a mapping, names in common use are tried. With a companion file of texts the responses are ids in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.checks import identifier, optional_text, prompt, rest
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.readers.votes import votes, winner
from workers.rows import ItemRow, ResponseRow, RowError, VoteRow

USUAL: dict[str, tuple[str, ...]] = {
    "prompt": ("prompt", "question", "instruction", "input", "query"),
    "response_a": ("response_a", "response_1", "response1", "answer_a", "answer_1", "answer1", "output_1", "chosen"),
    "response_b": ("response_b", "response_2", "response2", "answer_b", "answer_2", "answer2", "output_2", "rejected"),
    "model_a": ("model_a", "model_1", "model1"),
    "model_b": ("model_b", "model_2", "model2"),
    "id": ("id", "external_id", "qid", "uid"),
    "winner": ("winner", "choice", "preference"),
}
NEEDED = ("prompt", "response_a", "response_b")


def column(row: Row, role: str, mapping: Mapping[str, str]) -> str:
    """The name of the column that plays `role` in this row; empty when none does."""
    if role in mapping:
        return mapping[role]
    return next((name for name in USUAL[role] if name in row), "")


def detect(row: Row) -> int:
    return 1 if all(column(row, role, {}) for role in NEEDED) else 0


def read(row: Row, options: Options) -> ItemRow:
    names = {role: column(row, role, options.mapping) for role in USUAL}
    for role in NEEDED:
        if not names[role] or names[role] not in row:
            wanted = names[role] or f"a column for {role}"
            raise RowError(f"is missing; there is: {', '.join(map(str, list(row)[:8]))}", wanted)
    return ItemRow(
        prompt=prompt(asked(row, names["prompt"]), names["prompt"]),
        responses=[
            side(row, names["response_a"], optional_text(row, names["model_a"]), options),
            side(row, names["response_b"], optional_text(row, names["model_b"]), options),
        ],
        external_id=identifier(row, names["id"]) if names["id"] else None,
        votes=cast(row) or winner(row.get(names["winner"]), names["winner"]),
        metadata=rest(row, *used(row, names)),
    )


def side(row: Row, name: str, model: str, options: Options) -> ResponseRow:
    """The text in a column, or that of the companion file which the column names."""
    if not options.companion:
        return response(row[name], name, model)
    key = identifier(row, name)
    if key is None or key not in options.companion:
        raise RowError("is not in the companion file", name)
    return response(options.companion[key], name, model)


def asked(row: Row, name: str) -> Any:
    """The prompt column; an instruction with its input below it, where there is one."""
    beside = row.get("input") if name == "instruction" else None
    return f"{row[name]}\n\n{beside}" if isinstance(beside, str) and beside.strip() else row[name]


def cast(row: Row) -> list[VoteRow]:
    """Raw votes, where the table holds them. In a sheet of cells a column of that name is something else."""
    return [] if isinstance(row.get("votes"), str) else votes(row.get("votes"))


def used(row: Row, names: Mapping[str, str]) -> list[str]:
    """The columns that became part of the item."""
    beside = [] if isinstance(row.get("votes"), str) else ["votes"]
    if names["prompt"] == "instruction" and isinstance(row.get("input"), str):
        beside.append("input")
    return [*names.values(), *beside]


readers.add(
    Reader(
        name="columns",
        title="A table with a column mapping (CSV, Parquet, JSONL)",
        detect=detect,
        read=read,
        example="prompt,response_a,response_b",
    )
)
