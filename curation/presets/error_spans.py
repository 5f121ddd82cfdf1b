"""Errors of a translation with type and severity: MQM as Freitag et al. (arXiv 2104.14478) use it."""

from __future__ import annotations

from curation.models import TaskKind
from curation.presets.preset import Preset
from curation.protocols import Asked, Colour, Critiques, Help, Severity, Typed

GUIDELINES = """\
## What to do

Read the source, then the translation, and mark **every error** in the translation with its type and severity. A \
translation without errors is answered without a mark.

- Mark the **smallest span** that must change, one error a mark. Of more than five errors, mark the five worst.
- **Missing**: mark the place where it should be, with the type *Omission*, and the words of the source as evidence.
- Judge the meaning in context, not word by word; and against the source, not against what you would have written.

## Severity

- **Critical**: could harm or deceive: doses, negations, sums, who owes whom.
- **Major**: the reader understands something else than the source says, or stumbles badly.
- **Minor**: a slip that a reader notices, without damage to the meaning.
- **Neutral**: you would prefer another wording; it counts nothing.

## Borderline cases

- *Accuracy or fluency?* If the meaning changes it is accuracy, even if a grammar mistake is the cause.
- *Mistranslation or terminology?* Terminology when the word is a right translation elsewhere, but not in this field.
- *One cause, several places* (du and Sie mixed): mark the first place that breaks with the rest.
- *An error of the source, faithfully kept*: not an error of the translation.
- *More than half unreadable or not translated*: one mark over all, *Non-translation*, and nothing else.
- *Two spellings both right* (Switzerland, Latin America): no error unless the target is named.

## Suggestions

Some are right, some are not, and some errors nobody has marked. Correct the type and severity before you accept.
"""

TYPES: list[tuple[str, str, str, Colour]] = [
    ("Accuracy/Mistranslation", "Mistranslation", "does not say what the source says", "red"),
    ("Accuracy/Omission", "Omission", "something of the source is missing", "orange"),
    ("Accuracy/Addition", "Addition", "something that the source does not say", "pink"),
    ("Fluency/Grammar", "Grammar", "agreement, case, tense, word order", "blue"),
    ("Fluency/Spelling", "Spelling", "misspelled, or wrong capital letter", "teal"),
    ("Fluency/Punctuation", "Punctuation", "wrong for the target language", "teal"),
    ("Fluency/Register", "Register", "too formal, too familiar, or mixed", "green"),
    ("Terminology/Inappropriate for context", "Terminology", "not the term of this field", "purple"),
    ("Style/Awkward", "Awkward style", "correct, but nobody would say it so", "yellow"),
    ("Locale convention", "Locale convention", "dates, times, numbers, addresses, units", "brown"),
    ("Non-translation", "Non-translation", "not a translation of the source at all", "grey"),
    ("Other", "Other", "say what in the comment", "grey"),
]
ERROR_SPANS = Preset(
    name="error-spans",
    title="Translation errors (MQM)",
    group="Critique",
    about="Every error of a translation as a span with type and weighted severity, as in MQM.",
    guidelines=GUIDELINES,
    sample="error-spans.jsonl",
    target="mqm-tsv",
    kind=TaskKind.RESPONSE,
    asked=Asked(
        unit="span",
        critiques=Critiques(
            on=True,
            types=[Typed(name=name, label=label, about=about, color=color) for name, label, about, color in TYPES],
            severities=[
                Severity(name="neutral", label="Neutral", about="a preference only", color="grey", weight=0),
                Severity(name="minor", label="Minor", about="noticed, harmless", color="yellow", weight=1),
                Severity(name="major", label="Major", about="changes or hides the meaning", color="orange", weight=5),
                Severity(name="critical", label="Critical", about="could harm or deceive", color="red", weight=10),
            ],
            edit=True,
            omission=True,
            evidence=True,
        ),
        help=Help(mode="shown", holdout=0.1),
    ),
)
