"""Critiques that come with a file, put where they belong in the text: by their offsets, or by their quote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from curation.services.importing.people import known_as
from workers.anchoring import anchor
from workers.rows import AnswerRow, CritiqueRow, ResponseRow, RowError, VerdictRow

LONGEST_LABEL = 60
LAST = 32_767
"""The last place that a ranking may have."""
SURE = ("", "exact")
"""Quotes that stand at one place only, letter by letter, or came with their offsets."""


def placements(answers: Iterable[AnswerRow]) -> Counter[str]:
    """How many critiques were put where their quote most likely is, by how it was found (workers/anchoring.py)."""
    return Counter(said.anchor for answer in answers for said in answer.critiques if said.anchor not in SURE)


def placed(answer: AnswerRow, responses: list[ResponseRow], field: str) -> AnswerRow:
    """The answer with every critique at its place. Raises RowError for what is not in the text."""
    if answer.ranks and (len(answer.ranks) != len(responses) or any(not 1 <= rank <= LAST for rank in answer.ranks)):
        raise RowError(f"needs a place from 1 to {LAST} for each response", f"{field}.ranks")
    if answer.active_ms is not None and not 0 <= answer.active_ms < 2**31:
        raise RowError("must be milliseconds", f"{field}.active_ms")
    if not 0 <= answer.response < len(responses):
        raise RowError(f"must be a place from 0 to {len(responses) - 1}", f"{field}.response")
    response = responses[answer.response]
    critiques = [at_place(said, response, f"{field}.critiques.{n}") for n, said in enumerate(answer.critiques)]
    for n, verdict in enumerate(answer.verdicts):
        check_unit(verdict, response.text, f"{field}.verdicts.{n}")
    return replace(answer, critiques=critiques)


def once(answers: Sequence[AnswerRow]) -> None:
    """Raises RowError where somebody answers a question, or ranks, twice: nobody knows which of the two holds."""
    seen = set()
    for n, answer in enumerate(answers):
        who = known_as(answer.kind, answer.annotator)
        said = [(answer.response, v.question, v.start, f"verdicts.{m}.question") for m, v in enumerate(answer.verdicts)]
        for *about, field in said + [(-1, "", None, "ranks")] * bool(answer.ranks):
            if (who, *about) in seen:
                raise RowError("was answered by the same annotator before", f"answers.{n}.{field}")
            seen.add((who, *about))


def at_place(said: CritiqueRow, response: ResponseRow, field: str) -> CritiqueRow:
    for name, label in (("type", said.type), ("severity", said.severity)):
        if len(label) > LONGEST_LABEL:
            raise RowError(f"is longer than {LONGEST_LABEL} characters", f"{field}.{name}")
    text = text_of(said, response, field)
    if said.start is None and said.quote:
        found = anchor(text, said.quote)
        if found.start is None:
            raise RowError(f"is not in the text: {said.quote[:60]!r}", f"{field}.quote")
        how = "ambiguous" if found.ambiguous else found.how
        said = replace(said, start=found.start, end=found.end, quote="", anchor=how)
    if said.start is None or said.end is None:
        if (said.start, said.end) != (None, None):
            raise RowError("start and end go together", f"{field}.end")
        return said
    if not 0 <= said.start <= said.end <= len(text):
        raise RowError(f"must lie within the {len(text)} code points of the text", f"{field}.start")
    quote = text[said.start : said.end]
    if said.quote and said.quote != quote:
        raise RowError(f"is not what stands there: {quote[:60]!r}", f"{field}.quote")
    return replace(said, quote=quote, omission=said.omission or said.start == said.end)


def text_of(said: CritiqueRow, response: ResponseRow, field: str) -> str:
    """The source string that the critique's offsets refer to."""
    if not response.messages and not said.message:
        return response.text
    if not response.messages:
        raise RowError("must be 0: the response is one text", f"{field}.message")
    if not 0 <= said.message < len(response.messages):
        raise RowError("there is no such message", f"{field}.message")
    return str(response.messages[said.message].get("content", ""))


def check_unit(verdict: VerdictRow, text: str, field: str) -> None:
    if len(verdict.question) > LONGEST_LABEL:
        raise RowError(f"is longer than {LONGEST_LABEL} characters", f"{field}.question")
    if verdict.start is None and verdict.end is None:
        return
    if verdict.start is None or verdict.end is None or not 0 <= verdict.start <= verdict.end <= len(text):
        raise RowError(f"must lie within the {len(text)} code points of the text", f"{field}.start")
