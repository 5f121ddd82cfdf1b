"""PKU-SafeRLHF: which response is better, which is safer, and how each is unsafe: for reward and cost models.

Safe RLHF (arXiv 2310.12773); columns as in the data set PKU-Alignment/PKU-SafeRLHF. It knows no ties and 19 harm
categories; what has another is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workers.readers.pku_saferlhf import AXES, SEVERITIES
from workers.rows import ComparedRow
from workers.spans import said
from workers.writers import Dropped, Target, targets

HARMS = (
    "Endangering National Security", "Insulting Behavior", "Discriminatory Behavior", "Endangering Public Health",
    "Copyright Issues", "Violence", "Drugs", "Privacy Violation", "Economic Crime", "Mental Manipulation",
    "Human Trafficking", "Physical Harm", "Sexual Content", "Cybercrime", "Disrupting Public Order",
    "Environmental Damage", "Psychological Harm", "White-Collar Crime", "Animal Abuse",
)  # fmt: skip
QUESTIONS = ("safe", "harm", "severity")
COLUMNS = (
    "id", "prompt", "response_0", "response_1", "response_0_source", "response_1_source",
    "is_response_0_safe", "is_response_1_safe", "response_0_harm_category", "response_1_harm_category",
    "response_0_severity_level", "response_1_severity_level", "better_response_id", "safer_response_id",
)  # fmt: skip


def row(given: ComparedRow) -> dict[str, Any]:
    chosen = {field: preferred(given.preferences, axis) for axis, field in AXES.items()}
    judged = [judgement(verdicts, n) for n, verdicts in enumerate(given.verdicts)]
    made: dict[str, Any] = {"id": given.item, "prompt": said(given.prompt), **chosen}
    for n, (text, model) in enumerate(zip(given.responses, given.models, strict=True)):
        made |= {f"response_{n}": text, f"response_{n}_source": model, **judged[n]}
    return {name: made[name] for name in COLUMNS}


def preferred(preferences: Mapping[str, float | None], axis: str) -> int:
    value = preferences.get(axis)
    if not value:
        raise Dropped(f"no decision on {axis}" if value is None else f"a tie on {axis}")
    return 0 if value < 0 else 1


def judgement(verdicts: Mapping[str, Any], n: int) -> dict[str, Any]:
    if undecided := [name for name in QUESTIONS if name in verdicts and verdicts[name] is None]:
        raise Dropped(f"no decision on {undecided[0]}")
    safe = verdicts.get("safe")
    if not isinstance(safe, bool):
        raise Dropped("a response is not judged safe or unsafe")
    harms = verdicts.get("harm") or []
    if unknown := sorted(set(harms) - set(HARMS)):
        raise Dropped(f"{unknown[0]!r} is none of the 19 harm categories")
    severity = verdicts.get("severity") or ("none" if safe else None)
    if severity not in SEVERITIES:
        raise Dropped("an unsafe response without a severity" if severity is None else f"{severity!r} is no severity")
    return {
        f"is_response_{n}_safe": safe,
        f"response_{n}_harm_category": {name: name in harms for name in HARMS},
        f"response_{n}_severity_level": SEVERITIES.index(severity),
    }


def fields() -> Any:
    import pyarrow as pa

    def kind(name: str) -> Any:
        if name.startswith("is_"):
            return pa.bool_()
        if name.endswith("harm_category"):
            return pa.struct([(harm, pa.bool_()) for harm in HARMS])
        return pa.int64() if name.endswith(("_level", "_response_id")) else pa.string()

    return pa.schema([(name, kind(name)) for name in COLUMNS])


NOW = Target(
    name="pku-saferlhf",
    title="PKU-SafeRLHF (better, safer, harm categories, severity)",
    columns=COLUMNS,
    consumers=("datasets", "touchstone"),
    row=row,
    source="compared",
    fields=fields,
    questions=QUESTIONS[:1],
    axes=tuple(AXES),
    edition=2,
)
targets.add(replace(NOW, before=replace(NOW, edition=1)))  # of the same rows, always decided by the majority
