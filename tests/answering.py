"""A server that speaks OpenAI's protocol and says what a test tells it to: it stands where the network would."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Step:
    """One answer: its text as a model would write it, or a failure."""

    text: str = "{}"
    finish: str = "stop"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0
    usage: bool = True
    likely: dict[str, float] | None = None
    """Probabilities of the values of its verdict, where the server is to tell them."""


def said(value: Any) -> Step:
    return Step(json.dumps(value))


class Answering(ThreadingHTTPServer):
    """`answer` gets the body of each request and its number, from 0. What was asked is in `bodies`."""

    daemon_threads = True

    def __init__(self, answer: Callable[[dict[str, Any], int], Step]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.times: list[float] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=lambda: self.serve_forever(poll_interval=0.02), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def prompts(self) -> list[str]:
        return [body["messages"][0]["content"] for body in self.bodies]


class Handler(BaseHTTPRequestHandler):
    server: Answering

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            number = len(server.bodies)
            server.bodies.append(body)
            server.keys.append(self.headers["Authorization"])
            server.times.append(time.monotonic())
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        try:
            step = server.answer(body, number)
            time.sleep(step.seconds)
        finally:
            with server.lock:
                server.at_once -= 1
        told = completion(body, step) if step.status == 200 else {"error": {"message": step.text}}
        payload = json.dumps(told).encode()
        try:
            self.send_response(step.status)
            for name, value in {"Content-Type": "application/json", **step.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        return


def tokens(step: Step) -> list[dict[str, Any]]:
    """The answer in three tokens, the middle one its verdict, with what else might have stood there."""
    before, verdict, behind = step.text.rpartition(json.loads(step.text)["verdict"])
    others = [{"token": name, "logprob": math.log(p), "bytes": None} for name, p in (step.likely or {}).items()]
    likely = next(one["logprob"] for one in others if one["token"] == verdict)
    return [
        {"token": before, "logprob": 0.0, "bytes": None, "top_logprobs": []},
        {"token": verdict, "logprob": likely, "bytes": None, "top_logprobs": others},
        {"token": behind, "logprob": 0.0, "bytes": None, "top_logprobs": []},
    ]


def completion(body: dict[str, Any], step: Step) -> dict[str, Any]:
    message = {"role": "assistant", "content": step.text}
    told: dict[str, Any] = {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": step.finish}],
    }
    if step.likely and body.get("logprobs"):
        told["choices"][0]["logprobs"] = {"content": tokens(step)}
    if step.usage:
        told["usage"] = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return told
