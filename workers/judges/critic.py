"""Critics: models that write what they think, asked by `workers/critics/` and read as JSON or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from workers.asking import Reply, Request, Server, Speaker, address, nothing
from workers.criticising import Subject, Wanted, Way, documents_in, request, ways
from workers.judging import Given, Judge, Judged, Spec, Unusable, judges
from workers.replies import clean, read

CONFIG = (
    "concurrency", "temperature", "max_tokens", "timeout", "json_schema", "logprobs", "prompt", "key_env", "body",
    "max_length", "dtype",
)  # fmt: skip
MAX_TOKENS = 2048
SIMPLE = Wanted(critiques={"on": True, "polarities": ["poor", "good"], "edit": True})
"""What is asked where no protocol is at hand, as when a model is tried out."""


class Critic:
    """A model that writes, with the settings of its version."""

    def __init__(self, speaker: Speaker, config: Mapping[str, Any]) -> None:
        self.speaker, self.config = speaker, config
        self.device = speaker.device
        self.max_tokens = int(config.get("max_tokens") or MAX_TOKENS)
        self.temperature = float(config.get("temperature") or 0)

    def ask(self, requests: Sequence[Request], tick: Callable[[], None] = nothing) -> Iterator[tuple[int, Reply]]:
        return self.speaker.ask(requests, tick)

    def fits(self, wanted: Wanted) -> list[Way]:
        """The ways of asking that a protocol needs; of a model that was made for one of them, that one only."""
        return [way for way in ways if not way.alone and way.fits(wanted) and self.answers(way)]

    def answers(self, way: Way) -> bool:
        """Whether this model may be asked in that way: it was not made for another one."""
        return self.config.get("prompt") in (None, "", way.name)

    def judge(self, given: Iterable[Given]) -> Iterator[Judged]:
        """Critiques of spans for every candidate, without a protocol and without asking twice."""
        way = ways.get("spans")
        rows = [(row, candidate) for row in given for candidate in row.candidates]
        subjects = [Subject(row.prompt, [texts(candidate)], documents_in(row.context)) for row, candidate in rows]
        asked = [
            request(way, SIMPLE, subject, temperature=self.temperature, max_tokens=self.max_tokens)
            for subject in subjects
        ]
        replies = dict(self.ask(asked))
        for number, (_, candidate) in enumerate(rows):
            reply = replies[number]
            answer = read(reply.text, asked[number].schema, cut=reply.cut)
            heard = way.read(SIMPLE, subjects[number], answer.value) if answer.value is not None else None
            yield Judged(
                candidate.key,
                critiques=heard.critiques if heard else (),
                raw=clean(reply.text) or reply.refused,
                status="truncated" if reply.cut and heard is None else answer.status,
                tokens=reply.tokens,
                tokens_out=reply.tokens_out,
            )


def texts(candidate: Any) -> list[str]:
    """The source string of each message of a response."""
    return [str(message.get("content", "")) for message in candidate.messages] or [candidate.text]


def open_critic(spec: Spec) -> Critic:
    """Raises Unusable for a reference, a key or a way of asking that is not there."""
    config = spec.config
    if (only := config.get("prompt")) and only not in {way.name for way in ways}:
        raise Unusable(f"no way of asking {only!r}; there is: {', '.join(way.name for way in ways)}")
    if not spec.reference.startswith("openai:"):
        from workers.nn import generating

        return Critic(generating.opened(spec), config)
    url, model = address(spec.reference)
    server = Server(
        url,
        model,
        key_env=str(config.get("key_env") or ""),
        concurrency=int(config.get("concurrency") or 8),
        constrained=bool(config.get("json_schema")),
        logprobs=bool(config.get("logprobs")),
        timeout=float(config.get("timeout") or 120),
        body=config.get("body"),
    )
    return Critic(server, config)


judges.add(Judge("critic", "Critic", gives=("critiques", "verdicts"), open=open_critic, config=CONFIG))
