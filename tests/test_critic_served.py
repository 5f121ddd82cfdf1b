"""Critics against the real thing: `transformers serve` with a tiny model built here, and the same model in this
process. It writes nonsense, which must become nothing, with the raw text kept."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from curation.models import Annotation, Completion, ModelVersion
from tests.cast import Cast
from tests.critics import item, responses
from tests.networks import network
from tests.test_critiquing import critiqued
from workers import warm
from workers.asking import Reply, Request, Server
from workers.judging import Candidate, Given, Spec, Unusable, judges

pytest.importorskip("transformers", reason="NOT RUN: transformers is not installed")
pytestmark = pytest.mark.training


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two thin layers, with room for the prompts of a critic."""
    return network("llama", tmp_path_factory.mktemp("tiny"), "CausalLM", max_position_embeddings=8192)


@pytest.fixture(scope="session")
def url(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server of that model. It needs a cache folder that is there, and no network."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = shutil.which("transformers", path=str(Path(sys.executable).parent)) or "transformers"
    cache = tmp_path_factory.mktemp("hub")
    environment = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [program, "serve", str(folder), "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait(process, f"{address}/health")
        yield f"{address}/v1"
    finally:
        process.kill()
        process.wait()


def wait(process: subprocess.Popen[bytes], address: str, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, f"the server ended with {process.returncode}"
        try:
            with urlopen(address, timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise AssertionError("the server did not start")


@pytest.fixture(autouse=True)
def cold() -> Iterator[None]:
    warm.forget()
    yield
    warm.forget()


def asked(text: str = "Good?", **how: object) -> Request:
    return Request([{"role": "user", "content": text}], {"type": "object"}, **{"max_tokens": 12, **how})  # type: ignore[arg-type]


def test_a_real_server_answers_and_counts_tokens(url: str, folder: Path) -> None:
    served = dict(Server(url, str(folder), concurrency=2, constrained=True).ask([asked(), asked("Bad?")]))
    assert all(
        reply.text and reply.tokens > 5 and reply.tokens_out > 0 and not reply.refused for reply in served.values()
    )


@pytest.mark.django_db(transaction=True)
def test_nonsense_of_a_real_server_becomes_nothing_and_is_kept(cast: Cast, url: str, folder: Path) -> None:
    responses(cast, item("sky", "The sky is green."))
    model = ModelVersion.objects.create(
        name="nonsense", kind="critic", reference=f"openai:{url}#{folder}", state="ready", config={"max_tokens": 16}
    )
    run = critiqued(cast, model)
    assert run.state == "succeeded", run.error
    assert run.result["unparsed"] + run.result["truncated"] == 2 and not Annotation.objects.exists()
    assert run.tokens > 100 and run.tokens_out > 0
    assert all(one.raw and one.parsed is None for one in Completion.objects.all())


def test_the_same_model_writes_the_same_here_and_on_the_server(url: str, folder: Path) -> None:
    """Greedily, from the same template; a server that is asked in its own way would show here."""
    here = judges.get("critic").open(Spec(1, "critic", f"hf:{folder}", config={"dtype": "fp32"}))
    question = [asked("the river runs slowly", max_tokens=8)]
    (_, local), (_, served) = *here.ask(question), *Server(url, str(folder)).ask(question)  # type: ignore[attr-defined]
    assert (local.text, local.tokens, local.cut) == (served.text, served.tokens, served.cut)


def test_answers_of_this_process_do_not_depend_on_what_else_is_asked(folder: Path) -> None:
    from workers.nn import generating

    writer = generating.opened(Spec(1, "critic", f"hf:{folder}", config={"dtype": "fp32"}))
    questions = [asked("yes " * n, temperature=t, seed=n) for n in (1, 30, 7, 12) for t in (0.0, 1.0)]
    together = dict(writer.ask(questions))
    alone = {n: next(writer.ask([question]))[1] for n, question in enumerate(questions)}
    assert together == alone
    assert len({reply.text for reply in together.values()}) > 1


def test_a_prompt_that_does_not_fit_is_refused_and_never_cut(folder: Path) -> None:
    from workers.nn import generating

    writer = generating.opened(Spec(1, "critic", f"hf:{folder}", config={"max_length": 100}))
    long, short = dict(writer.ask([asked("no " * 200), asked()])).values()
    assert "are more than 100" in long.refused and long == Reply(refused=long.refused)
    assert short.text and not short.refused


def test_memory_that_does_not_suffice_halves_the_batch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from workers.judging import OutOfMemory
    from workers.nn import generating

    writer = generating.opened(Spec(1, "critic", f"hf:{folder}", config={"dtype": "fp32"}))
    whole = dict(writer.ask([asked("one"), asked("two"), asked("six")]))
    written, sizes = writer.written, []

    def narrow(prompts: list[list[int]], how: Request, tick: Any) -> list[Reply]:
        sizes.append(len(prompts))
        if len(prompts) > 1:
            raise torch.OutOfMemoryError
        return written(prompts, how, tick)

    monkeypatch.setattr(writer, "written", narrow)
    assert dict(writer.ask([asked("one"), asked("two"), asked("six")])) == whole
    assert max(sizes) == 3 and sizes.count(1) == 3

    def none(*_: Any) -> list[Reply]:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(writer, "written", none)
    with pytest.raises(OutOfMemory):
        list(writer.ask([asked()]))


def test_writing_stops_in_the_middle_of_an_answer_when_it_is_told_to(folder: Path) -> None:
    from workers.nn import generating

    ticks = []

    def tick() -> None:
        ticks.append(1)
        if len(ticks) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(generating.opened(Spec(1, "critic", f"hf:{folder}")).ask([asked(max_tokens=500)], tick))
    assert len(ticks) == 3


def test_a_folder_without_a_model_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(Unusable):
        judges.get("critic").open(Spec(1, "critic", f"hf:{tmp_path}"))


def test_a_critic_of_this_process_judges_as_any_other(folder: Path) -> None:
    critic = judges.get("critic").open(Spec(1, "critic", f"hf:{folder}", config={"max_tokens": 8}))
    given = Given(1, [{"role": "user", "content": "Why?"}], [Candidate(5, "Because."), Candidate(6, "No.")])
    told = list(critic.judge([given]))
    assert [one.key for one in told] == [5, 6]
    assert all(one.status in ("unparsed", "truncated") and one.raw and not one.critiques for one in told)
