"""Writes the exports of `tests/exports/argilla/` with argilla 2.8.0 itself: `python make_argilla.py`.

In an environment of its own (`pip install argilla==2.8.0 requests`). No server is asked: `Dataset.to_disk` writes what
`Settings.to_json` and `JsonIO.to_json` write here, `Dataset.to_hub` what `HFDatasetsIO.to_datasets` does. The texts are
invented.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import argilla as rg
import httpx
from argilla.records._io import HFDatasetsIO, JsonIO

HERE = Path(__file__).parent / "argilla"
ME = {"id": "00000000-0000-4000-8000-000000000001", "username": "ann", "role": "owner"}
rg.Argilla(  # whose sign-in is answered here
    api_url="http://argilla.test",
    api_key="key",
    mounts={"http://": httpx.MockTransport(lambda request: httpx.Response(200, json=ME))},
)
ANN, BOB, EVE = (UUID(f"00000000-0000-4000-8000-00000000000{n}") for n in range(1, 4))


def said(question: str, value: object, user: UUID, status: str = "submitted") -> rg.Response:
    return rg.Response(question, value, user_id=user, status=status)


def write(name: str, settings: rg.Settings, records: list[rg.Record], *, hub: bool = False) -> None:
    """A folder as `to_disk` leaves it, or as `to_hub` pushes it."""
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / ".argilla").mkdir(parents=True)
    settings.to_json(folder / ".argilla" / "settings.json")
    told = {"id": str(ANN), "name": name, "guidelines": settings.guidelines, "status": "ready"}
    (folder / ".argilla" / "dataset.json").write_text(json.dumps(told))
    if hub:
        (folder / "data").mkdir()
        whole = HFDatasetsIO.to_datasets(records, SimpleNamespace(schema=settings.schema))
        whole.to_parquet(str(folder / "data" / "train-00000-of-00001.parquet"))
    else:
        JsonIO.to_json(records, folder / "records.json")


def pairs() -> None:
    """Two responses: which is better, how good each is, why, what it is about; of two people and a model."""
    settings = rg.Settings(
        guidelines="Choose the answer you would rather *have had*.",
        fields=[
            rg.TextField("instruction"),
            rg.TextField("context", required=False),
            rg.TextField("response_1"),
            rg.TextField("response_2"),
        ],
        questions=[
            rg.LabelQuestion(
                "preference",
                {
                    "1": "Response 1",
                    "2": "Response 2",
                    "tie": "Equally good",
                    "bad": "Both bad",
                    "unsure": "Cannot say",
                },
                title="Which is better?",
            ),
            rg.RatingQuestion("quality_1", [1, 2, 3, 4, 5], title="How good is response 1?"),
            rg.RatingQuestion("quality_2", [1, 2, 3, 4, 5], title="How good is response 2?", required=False),
            rg.TextQuestion("why", title="Why?", required=False),
            rg.LabelQuestion("topic", ["physics", "cooking"], required=False),
        ],
        metadata=[rg.TermsMetadataProperty("lot"), rg.IntegerMetadataProperty("words")],
        vectors=[rg.VectorField("embedding", dimensions=2)],
    )
    records = [
        rg.Record(
            id="p1",
            fields={
                "instruction": "Why is the sky blue?",
                "response_1": "Air scatters blue light.",
                "response_2": "It mirrors the sea.",
            },
            metadata={"lot": "first", "words": 4},
            vectors={"embedding": [0.5, 0.25]},
            responses=[
                said("preference", "1", ANN),
                said("quality_1", 5, ANN),
                said("quality_2", 1, ANN),
                said("why", "The sea is not why.", ANN),
                said("topic", "physics", ANN),
                said("preference", "tie", BOB),
                said("quality_1", 4, BOB),
            ],
            suggestions=[rg.Suggestion("preference", "1", score=0.75, agent="judge-7b")],
        ),
        rg.Record(
            id="p2",
            fields={
                "instruction": "How long do I boil an egg?",
                "context": "Seven minutes leave the yolk soft.",
                "response_1": "An hour.",
                "response_2": "Until it sings.",
            },
            metadata={"lot": "second"},
            responses=[said("preference", "bad", ANN), said("quality_1", 1, ANN), said("preference", "unsure", BOB)],
        ),
        rg.Record(id="p3", fields={"instruction": "Say hello.", "response_1": "Hello!", "response_2": "Hi 👋"}),
    ]
    write("pairs", settings, records)


CHAT = [
    {"role": "user", "content": "Where is Ulm?"},
    {"role": "assistant", "content": "In which country?"},
    {"role": "user", "content": "Germany."},
]
TEXT = "👩‍🚀 Ulm lies on the Danube 🌊 and has 2 million people."


def spans() -> None:
    """A chat and one response: spans, labels, a text; with a draft and a discarded answer. Pushed to the Hub."""
    settings = rg.Settings(
        guidelines="Mark what is wrong.",
        fields=[rg.ChatField("chat"), rg.TextField("answer", use_markdown=True)],
        questions=[
            rg.SpanQuestion("errors", "answer", {"fact": "Wrong fact", "style": "Bad style"}, allow_overlapping=True),
            rg.LabelQuestion("correct", ["yes", "no"]),
            rg.MultiLabelQuestion("kinds", ["short", "funny", "polite"], required=False),
            rg.TextQuestion("better", title="Write it better", required=False),
        ],
    )
    wrong, waves = TEXT.index("2 million"), TEXT.index("🌊")
    fact = {"start": wrong, "end": wrong + 9, "label": "fact"}
    style = {"start": waves, "end": waves + 1, "label": "style"}
    records = [
        rg.Record(
            id="s1",
            fields={"chat": CHAT, "answer": TEXT},
            responses=[
                said("errors", [fact, style], ANN),
                said("correct", "no", ANN),
                said("kinds", ["short", "funny"], ANN),
                said("better", "Ulm lies on the Danube.", ANN),
                said("errors", [style], BOB, "draft"),
                said("correct", "yes", EVE, "discarded"),
            ],
            suggestions=[
                rg.Suggestion("errors", [fact | {"score": 0.5}], agent="critic-1", score=[0.5]),
                rg.Suggestion("correct", "no", agent="critic-1", score=0.9),
            ],
        ),
        rg.Record(
            id="s2",
            fields={"chat": [{"role": "user", "content": "1 + 1?"}], "answer": "2"},
            responses=[said("errors", [], BOB), said("correct", "yes", BOB)],
            suggestions=[rg.Suggestion("correct", "yes", agent="critic-1", score=0.8)],
        ),
    ]
    write("spans", settings, records, hub=True)


def ranking() -> None:
    settings = rg.Settings(
        fields=[rg.TextField("prompt"), *(rg.TextField(f"response-{n}") for n in (1, 2, 3))],
        questions=[rg.RankingQuestion("order", [f"response-{n}" for n in (1, 2, 3)], title="Best first")],
    )
    records = [
        rg.Record(
            id="r1",
            fields={"prompt": "Name a prime.", "response-1": "Seven.", "response-2": "Nine.", "response-3": "Two?"},
            responses=[said("order", ["response-1", "response-3", "response-2"], ANN)],
            suggestions=[rg.Suggestion("order", ["response-3", "response-1", "response-2"], agent="ranker")],
        )
    ]
    write("ranking", settings, records)


if __name__ == "__main__":
    pairs()
    spans()
    ranking()
