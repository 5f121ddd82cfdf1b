"""Models that write, asked over HTTP: waiting, trying again, what a failure means, and JSON out of what they wrote."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.answering import Answering, Step, said
from workers.asking import Reply, Request, Server, Unreachable, address
from workers.critics.shapes import listed, or_null, shape
from workers.judging import Unusable
from workers.replies import read

SCHEMA = shape(good={"type": "boolean"}, why=or_null({"type": "string"}))
QUESTION = Request([{"role": "user", "content": "Good?"}], SCHEMA)


def ask(answer: Callable[[dict[str, Any], int], Step], count: int = 1, **how: Any) -> tuple[list[Reply], Answering]:
    """The replies to `count` questions, in order, and the server that gave them."""
    asked = [Request([{"role": "user", "content": f"Question {n}"}], SCHEMA) for n in range(count)]
    with Answering(answer) as there:
        replies = dict(Server(there.url, "tiny", **how).ask(asked))
    return [replies[n] for n in range(count)], there


def test_an_answer_comes_back_with_what_it_cost() -> None:
    (reply,), there = ask(lambda body, n: said({"good": True}))
    assert reply == Reply('{"good": true}', cut=False, tokens=100, tokens_out=10)
    assert there.bodies[0]["model"] == "tiny" and there.bodies[0]["temperature"] == 0
    assert "seed" not in there.bodies[0] and "response_format" not in there.bodies[0]


def test_each_reply_belongs_to_its_question_though_they_come_in_another_order() -> None:
    def answer(body: dict[str, Any], n: int) -> Step:
        number = int(body["messages"][0]["content"].split()[1])
        return Step(f"to {number}", seconds=0.02 * (5 - number % 5))

    replies, there = ask(answer, 20, concurrency=5)
    assert [reply.text for reply in replies] == [f"to {n}" for n in range(20)]
    assert 2 <= there.most_at_once <= 5


def test_no_more_questions_than_allowed_are_under_way() -> None:
    _, there = ask(lambda body, n: Step(seconds=0.05), 8, concurrency=2)
    assert there.most_at_once == 2


def test_a_busy_server_is_waited_for_as_long_as_it_says() -> None:
    (reply,), there = ask(lambda body, n: Step("busy", status=429, headers={"Retry-After": "1"}) if n == 0 else Step())
    assert reply.text == "{}" and there.times[1] - there.times[0] >= 1


def test_a_server_that_fails_twice_is_asked_a_third_time() -> None:
    (reply,), there = ask(lambda body, n: Step("oops", status=500 + n) if n < 2 else Step())
    assert reply.text == "{}" and len(there.bodies) == 3


def test_waits_between_tries_grow_and_differ() -> None:
    _, there = ask(lambda body, n: Step(status=503) if n < 6 else Step(), 3, concurrency=3)
    assert len(there.bodies) == 9
    assert max(there.times) - min(there.times) >= 0.3 and len(set(there.times)) == 9


def test_a_slow_server_is_asked_again_and_given_up_in_the_end() -> None:
    (reply,), there = ask(lambda body, n: Step(seconds=0.6 if n == 0 else 0), timeout=0.3)
    assert reply.text == "{}" and len(there.bodies) == 2
    with pytest.raises(Unreachable, match="does not answer"):
        ask(lambda body, n: Step(seconds=0.4), timeout=0.1, retries=1)


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="does not answer"):
        list(Server("http://127.0.0.1:9/v1", "tiny", retries=0).ask([QUESTION]))


def test_an_answer_beside_a_failure_is_not_lost() -> None:
    """What was paid for is handed on before the failure ends the work."""
    heard = []

    def answer(body: dict[str, Any], n: int) -> Step:
        return Step(status=500) if n == 0 else Step(seconds=0.5)

    with Answering(answer) as there, pytest.raises(Unreachable):
        for number, _ in Server(there.url, "tiny", concurrency=2, retries=0).ask([QUESTION] * 9):
            heard.append(number)
    assert len(heard) == 1 and len(there.bodies) == 2, "nothing new is asked after a failure"


def test_a_question_that_is_too_long_is_refused_and_the_others_go_on() -> None:
    replies, there = ask(
        lambda body, n: Step("too long", status=400) if "1" in body["messages"][0]["content"] else Step(), 3
    )
    assert [reply.refused for reply in replies] == ["", "Error code: 400 - too long", ""]
    assert len(there.bodies) == 3


def test_an_unknown_model_or_key_ends_the_work_at_once() -> None:
    for status in (401, 403, 404):
        with pytest.raises(Unusable, match="does not let tiny be asked"):
            ask(lambda body, n, status=status: Step("no", status=status))


def test_work_stops_when_it_is_told_to_though_the_server_is_slow() -> None:
    class Stop(Exception):
        pass

    def tick() -> None:
        raise Stop

    with Answering(lambda body, n: Step(seconds=60)) as there:
        began = time.monotonic()
        with pytest.raises(Stop):
            list(Server(there.url, "tiny").ask([QUESTION], tick))
    assert time.monotonic() - began < 30


def test_the_schema_goes_along_where_the_server_holds_models_to_it() -> None:
    _, there = ask(lambda body, n: Step(), constrained=True, body={"chat_template_kwargs": {"enable_thinking": False}})
    assert there.bodies[0]["response_format"]["json_schema"]["schema"] == SCHEMA
    assert there.bodies[0]["chat_template_kwargs"] == {"enable_thinking": False}


def test_samples_carry_their_seed() -> None:
    with Answering(lambda body, n: Step()) as there:
        asked = [Request(QUESTION.messages, SCHEMA, temperature=0.7, seed=n) for n in range(2)]
        list(Server(there.url, "tiny", concurrency=1).ask(asked))
    assert [body["seed"] for body in there.bodies] == [0, 1]


def test_a_key_is_read_from_its_variable_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHSTONE_MODEL_KEY_TINY", "sk-secret")
    _, there = ask(lambda body, n: Step(), key_env="TOUCHSTONE_MODEL_KEY_TINY")
    assert there.keys == ["Bearer sk-secret"]
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    with pytest.raises(Unusable, match="begins with TOUCHSTONE_MODEL_KEY_"):
        Server("http://x/v1", "tiny", key_env="DATABASE_URL")
    with pytest.raises(Unusable, match="TOUCHSTONE_MODEL_KEY_OTHER is not set"):
        Server("http://x/v1", "tiny", key_env="TOUCHSTONE_MODEL_KEY_OTHER")


def test_a_key_is_neither_told_nor_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("TOUCHSTONE_MODEL_KEY_TINY", "sk-secret")
    with caplog.at_level(logging.DEBUG), pytest.raises(Unusable) as told:
        ask(lambda body, n: Step("sk-secret is wrong", status=401), key_env="TOUCHSTONE_MODEL_KEY_TINY")
    assert "sk-secret" not in str(told.value) and "… is wrong" in str(told.value)
    assert "sk-secret" not in "".join(record.getMessage() for record in caplog.records if "openai" in record.name)


def test_a_reference_names_a_server_and_a_model() -> None:
    assert address("openai:http://gpu:8000/v1#Qwen/Qwen3-8B") == ("http://gpu:8000/v1", "Qwen/Qwen3-8B")
    for wrong in ("openai:http://gpu:8000/v1", "openai:file:///etc#x", "http://gpu#x", "openai:#x"):
        with pytest.raises(Unusable):
            address(wrong)


GOOD = {"good": True, "why": "so"}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ('{"good": true, "why": "so"}', "ok"),
        ('\n {"good": true, "why": "so"}\n', "ok"),
        ('```json\n{"good": true, "why": "so"}\n```', "repaired"),
        ('Here it is: {"good": true, "why": "so"} I hope that helps.', "repaired"),
        ('<think>{"good": false, "why": "no"}</think>{"good": true, "why": "so"}', "repaired"),
        ('{"good": true, "why": "so"', "repaired"),
        ('{"good": true, "why": "so", "mood": "fine"}', "repaired"),
        ('{"good": true, "why": "so"} {"good": true, "why": "so"}', "repaired"),
    ],
)
def test_an_answer_is_read_or_mended(text: str, status: str) -> None:
    assert read(text, SCHEMA) == (GOOD, status)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "good",
        "[]",
        '{"good": true, "why": "s',
        '{"good": "yes", "why": "so"}',
        '{"good": 1, "why": "so"}',
        '{"why": "so"}',
        '{"good": true, "why": "so"} or rather {"good": false, "why": "no"}',
        '{"good": NaN}',
        "{" * 100_000,
        '{"a":' * 100_000,
    ],
)
def test_what_cannot_be_read_without_guessing_is_not(text: str) -> None:
    assert read(text, SCHEMA) == (None, "unparsed")


def test_nothing_is_closed_of_an_answer_that_was_cut_off() -> None:
    several = shape(all=listed({"type": "string"}, 5))
    assert read('{"all": ["a", "b"', several).value == {"all": ["a", "b"]}
    assert read('{"all": ["a", "b"', several, cut=True).value is None
    assert read('{"all": ["a"]} and so on and', several, cut=True).value == {"all": ["a"]}


def test_only_null_is_ever_filled_in() -> None:
    assert read('{"good": true}', SCHEMA).value == {"good": True, "why": None}
    assert read('{"why": null}', SCHEMA).value is None


def test_what_no_database_takes_is_replaced() -> None:
    assert read('{"good": true, "why": "a\\u0000b\\ud800c"}', SCHEMA).value["why"] == "a�b�c"
