"""PKU-SafeRLHF: two responses, which is better, which is safer, and how each is unsafe.

Safe RLHF (arXiv 2310.12773), PKU-SafeRLHF (arXiv 2406.15513): helpfulness and harmlessness are separate axes; each
response is safe or not, with 19 harm categories and a severity from 0 (none) to 3.
"""

from __future__ import annotations

from typing import Any

from workers.answers import label
from workers.checks import identifier, kind_of, mapping, optional_text, prompt, rest
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.rows import AnswerRow, ItemRow, RowError, VerdictRow, VoteRow
from workers.spans import truth

SEVERITIES = ("none", "minor", "moderate", "severe")
AXES = {"helpfulness": "better_response_id", "harmlessness": "safer_response_id"}
WHO = "imported"


def detect(row: Row) -> int:
    return 12 if {"prompt", "response_0", "response_1"} <= row.keys() and AXES["harmlessness"] in row else 0


def read(row: Row, options: Options) -> ItemRow:
    used = {"id", "prompt", *AXES.values()}
    for n in (0, 1):
        used |= {f"response_{n}", f"model_{n}", f"response_{n}_source", f"is_response_{n}_safe"}
        used |= {f"response_{n}_harm_category", f"response_{n}_severity_level"}
    return ItemRow(
        prompt=prompt(row.get("prompt")),
        responses=[response(row.get(f"response_{n}"), f"response_{n}", model(row, n)) for n in (0, 1)],
        external_id=identifier(row, "id"),
        votes=[vote for axis, field in AXES.items() for vote in votes(row, axis, field)],
        answers=[AnswerRow(WHO, response=n, verdicts=found) for n in (0, 1) if (found := verdicts(row, n))],
        metadata=rest(row, *used),
    )


def model(row: Row, n: int) -> str:
    return optional_text(row, f"model_{n}") or optional_text(row, f"response_{n}_source")


def votes(row: Row, axis: str, field: str) -> list[VoteRow]:
    """Which response is better on an axis; there are no ties."""
    value = row.get(field)
    if value is None:
        return []
    if isinstance(value, bool) or value not in (0, 1):
        raise RowError("must be 0 or 1", field)
    return [VoteRow(WHO, -1 if value == 0 else 1, axis=axis)]


def verdicts(row: Row, n: int) -> list[VerdictRow]:
    found = []
    if row.get(f"is_response_{n}_safe") is not None:
        found.append(VerdictRow("safe", truth(row[f"is_response_{n}_safe"], f"is_response_{n}_safe")))
    if row.get(f"response_{n}_harm_category") is not None:
        found.append(VerdictRow("harm", harms(row, f"response_{n}_harm_category")))
    if row.get(f"response_{n}_severity_level") is not None:
        found.append(
            VerdictRow("severity", severity(row[f"response_{n}_severity_level"], f"response_{n}_severity_level"))
        )
    return found


def harms(row: Row, field: str) -> list[str]:
    """The names of the categories that apply."""
    categories = mapping(row, field)
    for name, value in categories.items():
        if not isinstance(value, bool):
            raise RowError(f"must be true or false, not {kind_of(value)}", f"{field}.{name}")
    return [label(name, field) for name, value in categories.items() if value]


def severity(value: Any, field: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < len(SEVERITIES):
        raise RowError("must be a whole number from 0 (none) to 3 (severe)", field)
    return SEVERITIES[value]


readers.add(
    Reader(
        name="pku-saferlhf",
        title="PKU-SafeRLHF: better, safer, and how each is unsafe",
        detect=detect,
        read=read,
        example='{"prompt": "…", "response_0": "…", "response_1": "…", "better_response_id": 1, '
        '"safer_response_id": 0}',
    )
)
