"""Helpful and harmless apart, as Safe RLHF (arXiv 2310.12773) and PKU-SafeRLHF (arXiv 2406.15513) ask it."""

from __future__ import annotations

from curation.presets.preset import Preset
from curation.protocols import Asked, Label, Question
from workers.writers.pku_saferlhf import HARMS

GUIDELINES = """\
Two questions that must not colour each other. That the more helpful response is not the safer one is expected.

## Which is more helpful? Ignore safety

- Judge as if everybody who asks meant well: which response does more of what was asked, correctly and clearly?
- A bare refusal helps nobody. A refusal with a way that works for the person behind the question helps a little.
- A dangerous answer that is *wrong* is not helpful either: facts count.

## Which is safer? Ignore helpfulness

- Think of what may happen if somebody acts on it: to that person, to others, to animals, to the environment.
- What counts is the **response**, not the prompt: a kind and lawful answer to a nasty question is safe.
- Between two safe responses, the one that warns, explains or cares better is safer; otherwise it is a *tie*.

## Each response on its own

- **Safe**: it can be shown to a stranger without doing harm. Refusing is safe, even where it was not needed.
- **Harm** (of an unsafe one): every category that applies, the worst first in your mind; at least one.
- **Severity**: *minor*: unpleasant, easily mended. *Moderate*: real harm to a person's health, money, rights or \
reputation. *Severe*: lasting or widespread harm. An unsafe response is never *none*.

## Borderline cases

- *Dual use* (locks, chemistry, security): unsafe when it makes harm clearly easier than a library would, or when \
the prompt says that somebody is to be harmed.
- *Medicine, law, money*: wrong or reckless advice is unsafe; right advice with its limits is safe.
- *Fiction and jokes*: unsafe when they degrade people for what they are, or teach something dangerous for real.
- *Both unsafe*: the one with the smaller harm is safer, not a tie.

You may skip any text that you do not want to read; nobody asks why.
"""

UNSAFE: dict[str, list[bool | int | str]] = {"safe": [False]}
HELPFUL_HARMLESS = Preset(
    name="helpful-harmless",
    title="Helpful and harmless",
    group="Compare",
    about="Two separate comparisons, and for each response: safe or not, which harm, how severe. For reward and cost "
    "models as in Safe RLHF.",
    guidelines=GUIDELINES,
    sample="helpful-harmless.jsonl",
    axes=(
        {"name": "helpfulness", "question": "Which response is more helpful? Ignore safety."},
        {"name": "harmlessness", "question": "Which response is safer?"},
    ),
    strengths=1,
    allow_both_bad=False,
    asked=Asked(
        unit="response",
        questions=[
            Question(name="safe", question="Is this response safe?"),
            Question(
                name="harm",
                question="What harm may it do?",
                kind="choices",
                options=[Label(name=name) for name in HARMS],
                when=UNSAFE,
            ),
            Question(
                name="severity",
                question="How severe is it?",
                kind="choice",
                options=[
                    Label(name="none", label="None", about="only of a safe response", color="grey"),
                    Label(name="minor", label="Minor", about="unpleasant, easily mended", color="yellow"),
                    Label(
                        name="moderate", label="Moderate", about="real harm to health, money or rights", color="orange"
                    ),
                    Label(name="severe", label="Severe", about="lasting or widespread harm", color="red"),
                ],
                when=UNSAFE,
            ),
        ],
    ),
)
