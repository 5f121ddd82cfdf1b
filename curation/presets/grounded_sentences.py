"""Each sentence of an answer against its documents, then against the world: TRM (arXiv 2509.25409)."""

from __future__ import annotations

from curation.models import TaskKind
from curation.presets.preset import Preset
from curation.protocols import Asked, Question

GUIDELINES = """\
Two different things are asked of each sentence. Documents can be wrong or outdated, and an answer can know more \
than they.

## Faithful: do the documents say so?

- **Yes** if one document, or several together, state it or imply it by a step that nobody would dispute (a sum, a \
synonym). Mark the place that proves it.
- **No** if nothing there says it, if it says more than they do, or if they say otherwise. Do not use what you know.

## Why, and correct: is it true?

- Now use everything: your knowledge, the date, a reference work.
- For a sentence that is **not** faithful, first write why it is true or false, in a sentence; then answer *correct*.
- For one that is faithful but **wrong**, write what shows that the document is wrong: a date, a \
survey, a better source.
- *Correct* means true today, as a careful reader understands it.

| | correct | wrong |
|---|---|---|
| faithful | copied, and true | the document is wrong or outdated |
| not faithful | own knowledge | made up |

## Borderline cases

- *Faithful in part*: one unsupported detail makes the sentence unfaithful; one false detail makes it wrong.
- *Documents contradict each other*: faithful if one of them says so; *correct* settles which.
- *Time*: “is” means now. A sentence with its own date is judged for that date.
- *Hedged* (“probably”, “about”): judge the hedged claim.
- *Opinions, greetings, transitions*: faithful if they misstate nothing in the documents; correct.
- *“The documents do not say”*: faithful and correct when they really do not.
- *He, it, there*: read the sentences before, judge this one.
"""

GROUNDED_SENTENCES = Preset(
    name="grounded-sentences",
    title="Sentences against documents",
    group="Judge steps and sentences",
    about="Of each sentence: do the documents say so, with the proof, and is it true? For grounded answers, as in TRM.",
    guidelines=GUIDELINES,
    sample="grounded-sentences.jsonl",
    target="sentence-labels",
    kind=TaskKind.RESPONSE,
    rationale="off",
    asked=Asked(
        unit="sentence",
        questions=[
            Question(name="faithful", question="Do the documents say so?", scope="unit", evidence="required"),
            Question(
                name="reason",
                question="Why is it true or false, then?",
                kind="text",
                scope="unit",
                when={"faithful": [False]},
            ),
            Question(name="correct", question="Is it true?", scope="unit"),
            Question(
                name="contradiction",
                question="What shows that the document is wrong?",
                kind="text",
                scope="unit",
                when={"faithful": [True], "correct": [False]},
            ),
        ],
    ),
)
