"""Text2Grad: a critique in words with the good and the poor spans of a response, as quotes or with offsets.

Text2Grad (arXiv 2505.22338), sections 3.1 and A: {textual_feedback, good_spans, poor_spans} for summaries and
dialogue; {"Code Feedback", wrong_code, improvement_code} for KodCode, where improvable code is neutral. A quote that
occurs several times is taken at its first place and marked as ambiguous; one that is not found is told in the comment
of a critique of the whole.
"""

from __future__ import annotations

from typing import Any

from workers.answers import several
from workers.checks import identifier, kind_of, optional_text, prompt, rest
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.rows import AnswerRow, CritiqueRow, ItemRow, RowError
from workers.spans import critique_in_words, exactly, found, spot

PROMPTS = ("prompt", "post", "Post", "question", "input")
RESPONSES = ("response", "summary", "Summary", "output", "code", "solution")
FEEDBACK = ("textual_feedback", "Code Feedback", "code_feedback")
SPANS = {
    "good_spans": (1, "", "good_offsets"),
    "poor_spans": (-1, "", "poor_offsets"),
    "wrong_code": (-1, "wrong", ""),
    "improvement_code": (0, "improvement", ""),
}


def detect(row: Row) -> int:
    words, spans = any(name in row for name in FEEDBACK), any(name in row for name in SPANS)
    return 11 if words and spans and named(row, PROMPTS) and named(row, RESPONSES) else 0


def named(row: Row, names: tuple[str, ...]) -> str:
    """The first of the names that the row has."""
    return next((name for name in names if row.get(name) is not None), "")


def read(row: Row, options: Options) -> ItemRow:
    asked, answered, words = named(row, PROMPTS), named(row, RESPONSES), named(row, FEEDBACK)
    given = response(row.get(answered), answered or "response", optional_text(row, "model"))
    critiques = [one for name in SPANS for one in marked(row, name, given.text)]
    answer = AnswerRow(
        annotator=identifier(row, "annotator") or "imported",
        critiques=critiques,
        rationale=optional_text(row, words) if words else "",
    )
    beside = (f"{way}_{what}" for way in ("good", "poor") for what in ("offsets", "comments", "types"))
    used = ("id", "model", "annotator", asked, answered, words, *SPANS, *beside)
    return ItemRow(
        prompt=prompt(row.get(asked), asked or "prompt"),
        responses=[given],
        external_id=identifier(row, "id"),
        answers=[answer],
        metadata=rest(row, *used),
    )


def marked(row: Row, name: str, text: str) -> list[CritiqueRow]:
    polarity, type, offsets = SPANS[name]
    places = several(row, offsets) if offsets else []
    spans = several(row, name)
    if places and len(places) != len(spans):
        raise RowError(f"must have {len(spans)} places, as {name} has spans", offsets)
    comments, types = (beside(row, name, what, len(spans)) for what in ("comments", "types"))
    return [
        critique_in_words(place(span, f"{name}.{n}", text, places[n] if places else None, f"{offsets}.{n}"),
                 polarity=polarity, type=types[n] or type, comment=comments[n])
        for n, span in enumerate(spans)
    ]  # fmt: skip


def beside(row: Row, name: str, what: str, count: int) -> list[str]:
    """What is said of each span in a list beside it, such as `poor_comments`; empty where there is no such list."""
    field = name.replace("_spans", f"_{what}")
    given = several(row, field) if field != name else []
    if not given:
        return [""] * count
    if len(given) != count:
        raise RowError(f"must have {count} entries, as {name} has spans", field)
    for n, one in enumerate(given):
        if one is not None and not isinstance(one, str):
            raise RowError(f"must be text, not {kind_of(one)}", f"{field}.{n}")
    return [one or "" for one in given]


def place(span: Any, field: str, text: str, offsets: Any, offsets_field: str) -> Any:
    """A span given as a quote, as a quote with its offsets beside it, or as an object with both."""
    if isinstance(span, dict):
        quote = "quote" if "quote" in span else "text"
        return spot(text, span, field, names=("start", "end", quote))
    if not isinstance(span, str):
        raise RowError(f"must be text or an object, not {kind_of(span)}", field)
    if not span.strip():
        raise RowError("is empty", field)
    if offsets is None:
        return found(text, span)
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(one) is int for one in offsets):
        raise RowError("must be a start and an end", offsets_field)
    return exactly(text, offsets[0], offsets[1], span, offsets_field, ("0", "1"))


readers.add(
    Reader(
        name="text2grad",
        title="Text2Grad: feedback with good and poor spans",
        detect=detect,
        read=read,
        example='{"prompt": "…", "response": "…", "textual_feedback": "…", "good_spans": ["…"], "poor_spans": ["…"]}',
    )
)
