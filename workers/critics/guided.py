"""Which of two responses is better, after gold pairs that are like it: the judge of preference-guided annotation.

Skywork-Reward-V2 (arXiv 2507.01352, section 3): the guidelines that people read, up to eight gold pairs with their
attributes and labels, the pair with its own, the differences, then the verdict. Samples of one model vote in both
orders, then the models do (`voting.py`). Two things are ours: which of an example's responses is named first is drawn,
so that the labels of the examples say nothing of places, and a model whose samples are split has no vote.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.criticising import (
    INTRODUCTION,
    Demonstration,
    Heard,
    Schema,
    Subject,
    Wanted,
    Way,
    between,
    guided_by,
    material,
    said_once,
    ways,
)
from workers.critics.self_reference import VERDICTS, fits, likelihood_of, side_of
from workers.critics.shapes import TEXT, one_of, shape
from workers.critics.voting import Round

MOST_SHOWN = 8
LONGEST_EXAMPLE = 1500
"""Characters of each text of an example; the pair itself is never cut."""
ATTRIBUTES = ("category", "objectivity", "controversiality", "desired", "guideline")
"""In the order in which they were made; others follow as they come."""


def words(wanted: Wanted, subject: Subject) -> str:
    axis = wanted.axes[0] if wanted.axes else {}
    question = axis.get("question") or "Which response is better?"
    before = "The examples were decided by people: judge as they do. " if subject.shown else ""
    return (
        f"{before}{question} The order of the two is random and means nothing; neither does length by itself. First "
        "write as “differences” what sets the two responses apart, in two to five sentences. Then decide: “verdict” is "
        "1 or 2, the number of the better response."
    )


def messages(wanted: Wanted, subject: Subject, asked: str) -> list[dict[str, str]]:
    """Guidelines, examples, the pair with its attributes, then what is asked."""
    shown = [example(one, number) for number, one in enumerate(subject.shown, 1)]
    pair = "\n\n".join(part for part in (material(subject), attributes_of(subject.attributes)) if part)
    return said_once(INTRODUCTION, guided_by(wanted.guidelines), *shown, pair, words(wanted, subject), asked)


def example(one: Demonstration, number: int) -> str:
    """A pair that people decided, with what they said."""
    prompt = [{**turn, "content": cut(str(turn.get("content", "")))} for turn in one.prompt]
    told = material(Subject(prompt, [[cut(text)] for text in one.responses]))
    parts = [told, attributes_of(one.attributes), f"Better: Response {one.better}"]
    return between("example", "\n\n".join(part for part in parts if part), f' number="{number}"')


def cut(text: str) -> str:
    return text if len(text) <= LONGEST_EXAMPLE else f"{text[:LONGEST_EXAMPLE]} […]"


def attributes_of(given: Mapping[str, Any]) -> str:
    """What is known of a prompt, one a line."""
    names = [*(name for name in ATTRIBUTES if name in given), *(name for name in given if name not in ATTRIBUTES)]
    lines = [f"{name.replace('_', ' ')}: {listed(given[name])}" for name in names if given[name]]
    return between("attributes", "\n".join(lines)) if lines else ""


def listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def schema(wanted: Wanted, subject: Subject) -> Schema:
    return shape(differences=TEXT, verdict=one_of(VERDICTS))


def round_of(subject: Subject, answer: Mapping[str, Any]) -> Round:
    """One answer, its number taken back to the stored order."""
    return Round(
        first="b" if subject.turned else "a",
        verdict=side_of(answer["verdict"], subject.turned),
        likelihood=likelihood_of(answer, subject.turned),
    )


def read(wanted: Wanted, subject: Subject, answer: Any) -> Heard:
    """One sample as a preference on the first axis; several are for `voting.py`."""
    value = 1 if round_of(subject, answer).verdict == "b" else -1
    axis = wanted.axes[0]["name"]
    told = [{"axis": axis, "value": value, "both_bad": False, "probability": None}]
    return Heard(preferences=told, rationale=str(answer["differences"]).strip())


ways.add(
    Way(
        "guided",
        "Which of two is better, after gold pairs like it",
        fits=fits,
        words=words,
        schema=schema,
        read=read,
        pair=True,
        alone=True,
        messages=messages,
        verdict=VERDICTS,
    )
)
