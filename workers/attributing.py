"""What is known of a pair before anybody labels it: its category, how objective it is, what is wanted, a guideline.

The 5-tuple of Liu et al. 2025, "Skywork-Reward-V2" (arXiv 2507.01352). The paper publishes neither the enumerations nor
the prompt: both are ours. A critic describes a pair without knowing its label.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from workers.asking import Request
from workers.criticising import INTRODUCTION, Subject, material, said_once

CATEGORIES = (
    "math", "code", "reasoning", "factual QA", "writing", "rewrite", "summarise", "chat", "role-play",
    "instruction-format", "safety", "translation", "other",
)  # fmt: skip
OBJECTIVITY = ("objective", "mixed", "subjective")
CONTROVERSIALITY = ("low", "medium", "high")
MOST_WISHES, LONGEST_WISH, MOST_WORDS = 5, 120, 80
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "category": {"type": "string", "enum": list(CATEGORIES)},
        "objectivity": {"type": "string", "enum": list(OBJECTIVITY)},
        "reason": {"type": "string"},
        "controversiality": {"type": "string", "enum": list(CONTROVERSIALITY)},
        "desired": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST_WISHES},
        "guideline": {"type": "string"},
    },
    "required": ["category", "objectivity", "reason", "controversiality", "desired", "guideline"],
    "additionalProperties": False,
}
ASKED = f"""Read the prompt and both responses above. Do not say which response is better. Describe the pair, in this
order:
1. category: the kind of task that the prompt asks for.
2. objectivity: whether which answer is better can be settled by facts or checks, with one reason.
3. controversiality: how far careful people would differ over it.
4. desired: 1 to {MOST_WISHES} short phrases that say what users want in a good answer here.
5. guideline: one paragraph of at most {MOST_WORDS} words by which a third person could choose between the two.
Answer with one JSON object and nothing else. It must fit this JSON schema:"""
NAMES = ("category", "objectivity", "controversiality", "desired", "guideline")


def request(pair: Subject, *, max_tokens: int) -> Request:
    """The question about a pair; of its label and its examples nothing is shown, whatever `pair` says."""
    asked = f"{ASKED}\n{json.dumps(SCHEMA, separators=(',', ':'))}"
    return Request(said_once(INTRODUCTION, material(pair), asked), SCHEMA, max_tokens=max_tokens)


def checked(given: Any) -> dict[str, Any]:
    """The five attributes, tidied. Raises ValueError naming the first that is wrong: `name: what is wrong`."""
    if not isinstance(given, Mapping):
        raise ValueError("category: is missing")
    found: dict[str, Any] = {}
    for name, known in (
        ("category", CATEGORIES),
        ("objectivity", OBJECTIVITY),
        ("controversiality", CONTROVERSIALITY),
    ):
        if given.get(name) not in known:
            raise ValueError(f"{name}: must be one of {', '.join(known)}")
        found[name] = given[name]
    wishes = given.get("desired")
    if not isinstance(wishes, Sequence) or isinstance(wishes, str) or not all(isinstance(one, str) for one in wishes):
        raise ValueError("desired: must be a list of phrases")
    found["desired"] = [" ".join(one.split()) for one in wishes if one.strip()]
    if not 1 <= len(found["desired"]) <= MOST_WISHES or any(len(one) > LONGEST_WISH for one in found["desired"]):
        raise ValueError(f"desired: must be 1 to {MOST_WISHES} phrases of at most {LONGEST_WISH} characters")
    guideline = given.get("guideline")
    if not isinstance(guideline, str) or not guideline.strip() or len(guideline.split()) > MOST_WORDS:
        raise ValueError(f"guideline: must have 1 to {MOST_WORDS} words")
    found["guideline"] = guideline.strip()
    if any("\0" in text for text in (found["guideline"], *found["desired"])):
        raise ValueError("guideline: holds a character that is no text")
    return found


def urgency(given: Mapping[str, Any]) -> tuple[int, int]:
    """By which a queue is ordered, the lowest first: what is objective, then what is least controversial."""
    objective, controversial = given.get("objectivity"), given.get("controversiality")
    return (
        OBJECTIVITY.index(objective) if objective in OBJECTIVITY else len(OBJECTIVITY),
        CONTROVERSIALITY.index(controversial) if controversial in CONTROVERSIALITY else len(CONTROVERSIALITY),
    )
