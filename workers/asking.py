"""Questions to a model that writes: what is asked, what comes back, and a server that is asked over HTTP.

Any server that speaks OpenAI's protocol will do: vLLM, SGLang, llama.cpp, `transformers serve`. The `openai` client
waits and tries again by itself (429, 5xx, timeouts, lost connections; with jitter, and as long as Retry-After says);
this file bounds how many questions are under way and says what a failure means.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from workers import likely
from workers.judging import Unusable

if TYPE_CHECKING:
    from openai import OpenAI

KEY_PREFIX = "TOUCHSTONE_MODEL_KEY_"
"""Only environment variables of this name are ever read for a key, so that a model cannot ask for another secret."""
NO_KEY = "none"
RETRIES = 5
TOP = 20
"""Tokens beside the one that was written whose likelihood is asked for: the most that such servers give."""
TICK = 0.5
"""Seconds between two looks at whether the work should stop."""
LONGEST_REASON = 300


class Unreachable(Exception):
    """The server does not answer, after every retry; a later attempt may succeed."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model: the messages, the shape of the answer, and how it is drawn."""

    messages: Sequence[Mapping[str, str]]
    schema: Mapping[str, Any] = field(default_factory=dict)
    temperature: float = 0.0
    max_tokens: int = 2048
    seed: int = 0
    """Matters where the temperature is above 0: samples of one question differ by it."""
    verdict: Sequence[str] = ()
    """Values of the answer's field “verdict” of which it is asked how likely each was there."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model wrote. `cut`: it reached its longest length; `refused`: why the question was not taken at all."""

    text: str = ""
    cut: bool = False
    tokens: int = 0
    tokens_out: int = 0
    refused: str = ""
    likelihood: Mapping[str, float] = field(default_factory=dict)
    """Log-probability of each verdict at the place of the verdict, together 1; empty where it is not known."""


def nothing() -> None:
    return None


class Speaker(Protocol):
    """A model that writes. `ask` yields the number of each request with its reply, in the order they are ready.

    `tick` is called again and again meanwhile; what it raises stops the work.
    """

    device: str

    def ask(self, requests: Sequence[Request], tick: Callable[[], None] = nothing) -> Iterator[tuple[int, Reply]]: ...


class Server:
    """A model behind an OpenAI-compatible server, by its base URL and name.

    `body` are more fields for every request (`chat_template_kwargs`, say); with `constrained` the JSON schema goes
    along, for servers that hold the model to it; with `logprobs` a server is asked how likely the tokens of a verdict
    were. Raises Unusable for a key that may not be read or is not there.
    """

    device = "cpu"

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        key_env: str = "",
        concurrency: int = 8,
        constrained: bool = False,
        logprobs: bool = False,
        timeout: float = 120,
        retries: int = RETRIES,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        self.base_url, self.model = base_url, model
        self.key = key_from(key_env)
        self.concurrency = max(1, concurrency)
        self.constrained, self.logprobs = constrained, logprobs
        self.timeout, self.retries = timeout, retries
        self.body = dict(body or {})

    def ask(self, requests: Sequence[Request], tick: Callable[[], None] = nothing) -> Iterator[tuple[int, Reply]]:
        """Raises Unusable when the server does not know the model or the key, Unreachable when it is not there."""
        from openai import OpenAI

        client = OpenAI(base_url=self.base_url, api_key=self.key, timeout=self.timeout, max_retries=self.retries)
        pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="asking")
        under_way: dict[Future[Reply], int] = {}
        waiting = iter(enumerate(requests))
        failure: BaseException | None = None
        try:
            while True:
                while failure is None and len(under_way) < self.concurrency and (following := next(waiting, None)):
                    number, request = following
                    under_way[pool.submit(self.once, client, request)] = number
                if not under_way:
                    break
                ready, _ = wait(under_way, timeout=TICK, return_when=FIRST_COMPLETED)
                for done in ready:
                    number = under_way.pop(done)
                    if wrong := done.exception():
                        failure = failure or wrong
                    else:
                        yield number, done.result()
                tick()
            # What was under way beside a failure is paid, so it is waited for and handed on first.
            if failure is not None:
                raise failure
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def once(self, client: OpenAI, request: Request) -> Reply:
        """One question, with the client's retries."""
        import openai

        try:
            told = client.chat.completions.create(**self.fields(request))
        except openai.APIStatusError as error:
            return self.refusal(error.status_code, str(error.message))
        except openai.APIConnectionError as error:
            raise Unreachable(f"{self.base_url} does not answer: {error}") from None
        if not getattr(told, "choices", None):
            raise Unreachable(f"{self.base_url} answered without a choice")
        first, usage = told.choices[0], told.usage
        return Reply(
            text=first.message.content or "",
            cut=first.finish_reason == "length",
            tokens=usage.prompt_tokens if usage else 0,
            tokens_out=usage.completion_tokens if usage else 0,
            likelihood=likely.at_verdict(tokens_of(first), request.verdict) if request.verdict else {},
        )

    def fields(self, request: Request) -> dict[str, Any]:
        sent: dict[str, Any] = {
            "model": self.model,
            "messages": [dict(message) for message in request.messages],
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
        }
        if request.temperature > 0:
            sent["seed"] = request.seed
        if self.constrained and request.schema:
            shape = {"name": "answer", "schema": dict(request.schema), "strict": True}
            sent["response_format"] = {"type": "json_schema", "json_schema": shape}
        if self.logprobs and request.verdict:
            sent |= {"logprobs": True, "top_logprobs": TOP}
        if self.body:
            sent["extra_body"] = self.body
        return sent

    def refusal(self, status: int, words: str) -> Reply:
        """What a status means: the question does not fit (its reply says so), the model cannot be used, or later."""
        if self.key != NO_KEY:
            words = words.replace(self.key, "…")
        words = words[:LONGEST_REASON]
        if status in (400, 413, 422):
            return Reply(refused=words)
        if 400 <= status < 500 and status not in (408, 409, 429):
            raise Unusable(f"{self.base_url} does not let {self.model} be asked: {words}")
        raise Unreachable(f"{self.base_url} fails: {words}")


def tokens_of(choice: Any) -> list[likely.Token]:
    """What was written, token by token, with what else might have stood there; empty where a server does not tell."""
    told = getattr(choice, "logprobs", None)
    return [
        (one.token, {other.token: other.logprob for other in one.top_logprobs or ()} | {one.token: one.logprob})
        for one in (getattr(told, "content", None) or ())
    ]


def key_from(name: str) -> str:
    """The API key in an environment variable; servers without keys get a word that means nothing."""
    if not name:
        return NO_KEY
    if not name.startswith(KEY_PREFIX):
        raise Unusable(f"key_env must name a variable that begins with {KEY_PREFIX}")
    if not (key := os.environ.get(name, "").strip()):
        raise Unusable(f"the environment variable {name} is not set on this machine")
    return key


def address(reference: str) -> tuple[str, str]:
    """Base URL and model of `openai:<base url>#<model>`. Raises Unusable for anything else."""
    url, _, model = reference.removeprefix("openai:").partition("#")
    if not reference.startswith("openai:") or not url.startswith(("http://", "https://")) or not model:
        raise Unusable("a served critic is named openai:<base url>#<model>, as openai:http://127.0.0.1:8000/v1#qwen")
    return url, model
