"""XSum hallucination annotations: hallucinated spans and factuality of summaries, by three annotators each.

Maynez et al., On Faithfulness and Factuality in Abstractive Summarization (arXiv 2005.00661). The articles are not in
the file. A type of null says that the annotator found nothing; `is_factual` is the verdict `correct`.
"""

from __future__ import annotations

from workers.answers import Named, label, several, thing
from workers.checks import identifier, optional_text, rest, text
from workers.readers import Options, Reader, Row, readers
from workers.rows import AnswerRow, ItemRow, ResponseRow, RowError, VerdictRow
from workers.spans import critique_in_words, spot, truth

USED = ("id", "system", "summary", "hallucination", "factuality")


def detect(row: Row) -> int:
    return 11 if "summary" in row and isinstance(row.get("hallucination"), list) and "bbcid" in row else 0


def read(row: Row, options: Options) -> ItemRow:
    article = identifier(row, "bbcid")
    if article is None:
        raise RowError("is missing", "bbcid")
    summary = text(row, "summary")
    answers: dict[str, AnswerRow] = {}
    for part in ("hallucination", "factuality"):
        for n, value in enumerate(several(row, part)):
            field = f"{part}.{n}"
            given = thing(value, field)
            who = Named(field)(identifier, given, "annotator") or "imported"
            answer = answers.setdefault(who, AnswerRow(who))
            if given.get("type") is not None:
                place = spot(summary, given, field, names=("start", "end", "span_text"), repair=True)
                type = label(Named(field)(optional_text, given, "type"), f"{field}.type")
                answer.critiques.append(critique_in_words(place, type=type, polarity=-1))
            elif given.get("is_factual") is not None:
                answer.verdicts.append(VerdictRow("correct", truth(given["is_factual"], f"{field}.is_factual")))
    return ItemRow(
        prompt=[{"role": "user", "content": f"Summarise BBC article {article} in one sentence."}],
        responses=[ResponseRow(summary, optional_text(row, "system"))],
        external_id=identifier(row, "id"),
        answers=list(answers.values()),
        metadata=rest(row, *USED),
    )


readers.add(
    Reader(
        name="xsum-hallucination",
        title="XSum: hallucinated spans and factuality of summaries",
        detect=detect,
        read=read,
        example='{"bbcid": "1", "summary": "…", "hallucination": [{"annotator": "w1", "type": "extrinsic", '
        '"span_text": "…", "start": 0, "end": 2}], "factuality": [{"annotator": "w1", "is_factual": "no"}]}',
    )
)
