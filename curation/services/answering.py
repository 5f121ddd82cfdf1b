"""What an answer says besides preferences: critiques, verdicts and ranks, checked against the protocol.

Responses are named by their place as shown, so that nothing of the import reaches an annotator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from curation.errors import Invalid
from curation.models import Critique
from curation.protocols import POLARITIES, Asked, Question
from curation.segmenting import units_of
from curation.services.evidence import check_evidence
from curation.services.taking import ShownResponse

LONGEST = 20_000
NOTHING: Mapping[int, Critique] = {}
MOST = 500


@dataclass(frozen=True, slots=True)
class Said:
    """One critique as its author says it; without a span the whole response is meant."""

    response: int = 0
    start: int | None = None
    end: int | None = None
    quote: str | None = None
    unit: str = "span"
    type: str = ""
    severity: str = ""
    polarity: int | None = None
    comment: str = ""
    edit: str | None = None
    omission: bool = False
    evidence: dict[str, Any] | None = None
    message: int = 0
    derived_from: int | None = None
    rejected: bool = False
    review_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer to one question about a response, or about the unit of it at `start` to `end`."""

    question: str
    answer: Any
    response: int = 0
    comment: str = ""
    start: int | None = None
    end: int | None = None
    evidence: dict[str, Any] | None = None
    derived_from: int | None = None
    review_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """All that one answer says besides preferences."""

    critiques: Sequence[Said] = ()
    verdicts: Sequence[Judged] = ()
    ranks: Sequence[int] = ()
    """The place of each response in shown order: 1 is best, equal places are a tie."""
    units: Mapping[int, Sequence[tuple[int, int]]] = field(default_factory=dict)
    """Boundaries mended by hand, by response."""

    def __bool__(self) -> bool:
        return bool(self.critiques or self.verdicts or self.ranks)


def texts_of(response: ShownResponse) -> list[str]:
    """The source string of each message of a response."""
    if not response.messages:
        return [response.text]
    return [str(message.get("content", "")) for message in orjson.loads(response.messages)]


def units_in(response: ShownResponse, unit: str) -> Sequence[tuple[int, int]]:
    """The sentences or steps of a response: as the import gave them, else as its text is split."""
    if response.unit == unit and response.units:
        return [(start, end) for start, end in orjson.loads(response.units)]
    return units_of(texts_of(response)[0], unit)


def check(
    asked: Asked,
    shown: Sequence[ShownResponse],
    answer: Answer,
    context: str = "{}",
    *,
    whole: bool,
    kept: Mapping[int, Critique] = NOTHING,
) -> Answer:
    """The answer with its quotes filled in. Raises Invalid naming the field of what does not fit the protocol.

    `whole` asks for everything that the protocol requires; a suggestion may leave things open. The labels of the
    suggestions in `kept` may stay as they are, whatever the protocol has by now.
    """
    if len(answer.critiques) > MOST or len(answer.verdicts) > 4 * MOST:
        raise Invalid(f"at most {MOST} critiques and {4 * MOST} verdicts", field="critiques")
    documents = orjson.loads(context).get("documents") or []
    critiques = [
        critique_checked(asked, shown, documents, said, kept.get(said.derived_from or 0), f"critiques.{n}", whole=whole)
        for n, said in enumerate(answer.critiques)
    ]
    for n, judged in enumerate(answer.verdicts):
        check_verdict(asked, shown, documents, judged, f"verdicts.{n}", whole=whole)
    said_once(answer.verdicts)
    if whole:
        for place, response in enumerate(shown):
            check_complete(asked, response, place, answer)
    return replace(answer, critiques=critiques)


def critique_checked(
    asked: Asked,
    shown: Sequence[ShownResponse],
    documents: Any,
    said: Said,
    source: Critique | None,
    field: str,
    *,
    whole: bool,
) -> Said:
    wanted = asked.critiques
    if not wanted.on:
        raise Invalid("critiques are not asked here", field="critiques")
    texts = texts_of(at(shown, said.response, field))
    if not 0 <= said.message < len(texts):
        raise Invalid("there is no such message", field=f"{field}.message")
    said = with_quote(said, texts[said.message], field)
    check_moment(said.review_ms, field)
    if said.rejected:
        if said.derived_from is None:
            raise Invalid("only a suggestion can be rejected", field=f"{field}.rejected")
        return said
    if not source or not said.type or said.type != source.type:
        known(said.type, [label.name for label in wanted.types], f"{field}.type", whole=whole)
    if not source or not said.severity or said.severity != source.severity:
        known(said.severity, [label.name for label in wanted.severities], f"{field}.severity", whole=whole)
    polarities = [POLARITIES[name] for name in wanted.polarities]
    if said.polarity is None:
        if polarities and whole:
            raise Invalid("say whether it is good or poor", field=f"{field}.polarity")
    elif said.polarity not in polarities and (not source or said.polarity != source.polarity):
        raise Invalid("is not asked here", field=f"{field}.polarity")
    check_words(said, field)
    if wanted.comment == "required" and whole and not said.comment.strip() and said.edit is None:
        raise Invalid("say what it is, in a few words", field=f"{field}.comment")
    if (said.omission or (said.start is not None and said.start == said.end)) and not wanted.omission:
        raise Invalid("marking what is missing is not asked here", field=f"{field}.omission")
    if said.evidence is not None and (source is None or said.evidence != source.evidence):
        check_evidence(said.evidence, shown, documents, f"{field}.evidence")
    return said


def with_quote(said: Said, text: str, field: str) -> Said:
    """The critique with its exact quote. Raises Invalid when its span or quote is not in the text."""
    if said.start is None or said.end is None:
        if (said.start, said.end) != (None, None):
            raise Invalid("start and end go together", field=f"{field}.end")
        return replace(said, quote="")
    if not 0 <= said.start <= said.end <= len(text):
        raise Invalid(f"must lie within the {len(text)} code points of the text", field=f"{field}.start")
    quote = text[said.start : said.end]
    if said.quote is not None and said.quote != quote:
        raise Invalid(f"is not what stands there: {quote[:60]!r}", field=f"{field}.quote")
    return replace(said, quote=quote, omission=said.start == said.end)


def check_words(said: Said, field: str) -> None:
    for name, words in (("comment", said.comment), ("edit", said.edit or "")):
        if len(words) > LONGEST or "\0" in words:
            raise Invalid(f"at most {LONGEST} characters, and no NUL", field=f"{field}.{name}")


def check_moment(review_ms: int | None, field: str) -> None:
    if review_ms is not None and not 0 <= review_ms < 2**31:
        raise Invalid("must be milliseconds", field=f"{field}.review_ms")


def known(name: str, names: Sequence[str], field: str, *, whole: bool) -> None:
    if not name and (not names or not whole):
        return
    if name not in names:
        raise Invalid(f"must be one of: {', '.join(names)}" if names else "is not asked here", field=field)


def at(shown: Sequence[ShownResponse], place: int, field: str) -> ShownResponse:
    if not 0 <= place < len(shown):
        raise Invalid(f"there are {len(shown)} responses, counted from 0", field=f"{field}.response")
    return shown[place]


def check_verdict(
    asked: Asked, shown: Sequence[ShownResponse], documents: Any, judged: Judged, field: str, *, whole: bool
) -> None:
    question = next((q for q in asked.questions if q.name == judged.question), None)
    if question is None:
        raise Invalid("is not asked here", field=f"{field}.question")
    response = at(shown, judged.response, field)
    if not question.allows(judged.answer):
        raise Invalid(f"is no answer to {question.name}", field=f"{field}.answer")
    if len(judged.comment) > LONGEST or "\0" in judged.comment:
        raise Invalid(f"at most {LONGEST} characters, and no NUL", field=f"{field}.comment")
    check_moment(judged.review_ms, field)
    if question.needs_words(judged.answer) and whole and not judged.comment.strip():
        raise Invalid("say why, in a few words", field=f"{field}.comment")
    if question.scope == "unit":
        length = len(texts_of(response)[0])
        if judged.start is None or judged.end is None or not 0 <= judged.start < judged.end <= length:
            raise Invalid(f"name the {asked.unit} by its start and end", field=f"{field}.start")
    elif judged.start is not None or judged.end is not None:
        raise Invalid("this question is about the whole response", field=f"{field}.start")
    if judged.evidence is not None:
        check_evidence(judged.evidence, shown, documents, f"{field}.evidence")
    elif question.evidence == "required" and judged.answer is True and whole:
        raise Invalid("mark what proves it", field=f"{field}.evidence")


def said_once(verdicts: Sequence[Judged]) -> None:
    counts = Counter((v.response, v.question, v.start) for v in verdicts)
    if counts and max(counts.values()) > 1:
        raise Invalid("answer each question once", field="verdicts")


def check_complete(asked: Asked, response: ShownResponse, place: int, answer: Answer) -> None:
    """Everything required was answered. Raises Invalid naming what is missing."""
    mine = [verdict for verdict in answer.verdicts if verdict.response == place]
    whole = {v.question: v.answer for v in mine if v.start is None}
    for question in asked.questions:
        if question.scope == "response" and due(question, whole) and question.name not in whole:
            raise Invalid(f"response {place + 1}: answer “{question.question}”", field=f"verdicts.{question.name}")
    if any(question.scope == "unit" for question in asked.questions):
        units = units_in(response, asked.unit)
        if mended := answer.units.get(place):
            check_mended(mended, units, texts_of(response)[0], f"units.{place}")
        check_units(asked, [(start, end) for start, end in mended or units], place, mine)


def check_mended(mended: Sequence[tuple[int, int]], given: Sequence[tuple[int, int]], text: str, field: str) -> None:
    """Boundaries mended by hand lie in the text, in order and apart, and leave out no word that was in a unit."""
    at = 0
    for start, end in mended:
        if not at <= start < end <= len(text):
            raise Invalid(f"must lie within the {len(text)} code points of the text, in order and apart", field=field)
        at = end
    covered = {place for start, end in mended for place in range(start, end)}
    left = (place for start, end in given for place in range(start, end) if place not in covered)
    if any(not text[place].isspace() for place in left):
        raise Invalid("leave out words of the text", field=field)


def check_units(asked: Asked, units: Sequence[tuple[int, int]], place: int, mine: Sequence[Judged]) -> None:
    said: dict[tuple[int, int], dict[str, Any]] = {unit: {} for unit in units}
    for verdict in mine:
        if verdict.start is not None and verdict.end is not None:
            unit = (verdict.start, verdict.end)
            if unit not in said:
                raise Invalid(f"no {asked.unit} begins and ends there", field="verdicts.start")
            said[unit][verdict.question] = verdict.answer
    for number, (_, answers) in enumerate(sorted(said.items()), 1):
        for question in asked.questions:
            if question.scope != "unit":
                continue
            if due(question, answers) and question.name not in answers:
                words = f"response {place + 1}, {asked.unit} {number}: answer “{question.question}”"
                raise Invalid(words, field=f"verdicts.{question.name}")
        if any(q.stop is not None and answers.get(q.name) == q.stop for q in asked.questions):
            return


def due(question: Question, answers: Mapping[str, Any]) -> bool:
    """Whether a required question is asked at all, after the answers before it."""
    return question.required and all(answers.get(name) in values for name, values in question.when.items())


def check_ranks(count: int, ranks: Sequence[int]) -> None:
    """One place for each response, from 1, as in a race: after two at place 1 comes place 3 (or 2: both are taken)."""
    if len(ranks) != count:
        raise Invalid(f"give each of the {count} responses a place", field="ranks")
    if any(not 1 <= rank <= count for rank in ranks) or 1 not in ranks:
        raise Invalid(f"places go from 1 to {count}, and one is first", field="ranks")
