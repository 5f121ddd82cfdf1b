"""The client to await: `AsyncClient`, with the same verbs as `Client`. Lists are asynchronous iterators."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx

from touchstone_client import calls, files
from touchstone_client.calls import Call
from touchstone_client.problems import Problem, RunFailed, Unreachable
from touchstone_client.progress import Bar
from touchstone_client.shapes import Landed, ProjectShape, RunShape, TraceShape, VersionShape


class AsyncClient:
    """A connection to one Touchstone. `url` and `token`, or TOUCHSTONE_URL and TOUCHSTONE_TOKEN."""

    def __init__(self, url: str | None = None, token: str | None = None, *, timeout: float = 60.0) -> None:
        self.url, secret = calls.settings(url, token)
        headers = {"Authorization": f"Bearer {secret}"}
        self.http = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=timeout)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self.http.aclose()

    async def projects(self) -> AsyncIterator[AsyncProject]:
        async for one in self.pages(calls.get(f"{calls.API}/projects")):
            yield AsyncProject(self, ProjectShape(**one))

    async def project(self, slug: str) -> AsyncProject:
        return AsyncProject(self, ProjectShape(**await self.json(calls.get(calls.project(slug)))))

    async def create_project(
        self, slug: str, name: str = "", *, preset: str = "pairwise", description: str = ""
    ) -> AsyncProject:
        body = {"slug": slug, "name": name or slug, "preset": preset, "description": description}
        return AsyncProject(self, ProjectShape(**await self.json(calls.post(f"{calls.API}/projects", body))))

    async def run(self, run_id: str) -> AsyncRun:
        return AsyncRun(self, RunShape(**await self.json(calls.get(f"{calls.API}/runs/{run_id}"))))

    async def json(self, call: Call) -> Any:
        answer = await self.send(call)
        return answer.json() if answer.content else None

    async def send(self, call: Call) -> httpx.Response:
        """Send a call, again after a while where that is safe: a lost connection, a busy server."""
        for attempt in range(calls.TRIES):
            last = attempt == calls.TRIES - 1 or not call.repeatable
            try:
                answer = await self.once(call)
            except httpx.TransportError as error:
                if last:
                    raise Unreachable(f"{call.method} {self.url}{call.path}: {error}") from error
                await asyncio.sleep(calls.pause(attempt, None))
                continue
            if answer.status_code in calls.AGAIN and not last:
                await asyncio.sleep(calls.pause(attempt, answer.headers.get("Retry-After")))
                continue
            if answer.is_error:
                raise Problem.of(answer.status_code, answer.content)
            return answer
        raise AssertionError("unreachable")

    async def once(self, call: Call) -> httpx.Response:
        headers = dict(call.headers)
        if call.content is None:
            return await self.http.request(call.method, call.path, params=call.params, json=call.json, headers=headers)
        headers["Content-Length"] = str(call.content.stat().st_size)
        body = chunks(call.content)
        return await self.http.request(call.method, call.path, params=call.params, content=body, headers=headers)

    async def pages(self, call: Call) -> AsyncIterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = await self.json(Call("GET", call.path, {**call.params, **({"cursor": cursor} if cursor else {})}))
            for row in page["results"]:
                yield row
            cursor = page["next"]
            if cursor is None:
                return

    async def lines(self, path: str, params: dict[str, Any] | None = None) -> AsyncIterator[dict[str, Any]]:
        told = {name: value for name, value in (params or {}).items() if value is not None}
        headers = {"Accept": "application/x-ndjson"}
        async with self.http.stream("GET", path, params=told, headers=headers) as answer:
            if answer.is_error:
                raise Problem.of(answer.status_code, await answer.aread())
            async for line in answer.aiter_lines():
                if line:
                    yield json.loads(line)


async def chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            yield chunk


class AsyncProject:
    def __init__(self, client: AsyncClient, info: ProjectShape) -> None:
        self.client, self.info, self.slug = client, info, info.slug

    async def import_(
        self, rows: Iterable[dict[str, Any]] | str | Path, *, format: str = "auto", **more: Any
    ) -> AsyncRun:
        with calls.import_call(self.slug, rows, {"format": format, **more}) as call:
            return AsyncRun(self.client, RunShape(**await self.client.json(call)))

    def items(self, without: str | None = None) -> AsyncIterator[dict[str, Any]]:
        return self.client.pages(calls.get(f"{calls.project(self.slug)}/items", without=without))

    def annotations(self) -> AsyncIterator[dict[str, Any]]:
        return self.rows("annotations")

    def decisions(self) -> AsyncIterator[dict[str, Any]]:
        return self.rows("decisions")

    def critiques(self, **wanted: str) -> AsyncIterator[dict[str, Any]]:
        return self.rows("critiques", **wanted)

    def verdicts(self, **wanted: str) -> AsyncIterator[dict[str, Any]]:
        return self.rows("verdicts", **wanted)

    def scores(self, model: str | None = None) -> AsyncIterator[dict[str, Any]]:
        return self.rows("scores", model=model)

    def rows(self, what: str, **wanted: Any) -> AsyncIterator[dict[str, Any]]:
        return self.client.lines(f"{calls.project(self.slug)}/{what}", wanted)

    async def suggest(self, annotator: str | dict[str, Any], suggestions: Iterable[dict[str, Any]]) -> Landed:
        who = {"name": annotator, "kind": "model"} if isinstance(annotator, str) else annotator
        total: dict[str, Any] = {}
        for start, call in calls.suggestion_calls(self.slug, who, suggestions):
            calls.add_up(total, await self.client.json(call), start)
        return Landed(**total)

    async def start(self, method: str, **params: Any) -> AsyncRun:
        call = calls.post(f"{calls.project(self.slug)}/runs", {"method": method, "params": params})
        return AsyncRun(self.client, RunShape(**await self.client.json(call)))

    def dataset(self, name: str) -> AsyncDataset:
        return AsyncDataset(self, name)


class AsyncDataset:
    def __init__(self, project: AsyncProject, name: str) -> None:
        self.project, self.client, self.name = project, project.client, name

    async def versions(self) -> AsyncIterator[AsyncVersion]:
        async for one in self.client.pages(calls.get(f"{calls.dataset(self.project.slug, self.name)}/versions")):
            yield AsyncVersion(self, VersionShape(**one))

    async def version(self, number: int | None = None) -> AsyncVersion:
        """A version by its number, or the newest that is ready. Raises LookupError when there is none."""
        if number is not None:
            found = await self.client.json(calls.get(calls.version(self.project.slug, self.name, number)))
            return AsyncVersion(self, VersionShape(**found))
        ready = [one async for one in self.versions() if one.info.state == "ready"]
        if not ready:
            raise LookupError(f"{self.project.slug}/{self.name} has no version that is ready")
        return ready[-1]

    async def make(self, target: str = "trl-preference", **selection: Any) -> AsyncRun:
        """Make the next version; `filters`, `splits`, `seed` as for `Dataset.make`."""
        call = calls.post(f"{calls.dataset(self.project.slug, self.name)}/versions", {"target": target, **selection})
        return AsyncRun(self.client, RunShape(**await self.client.json(call)))


class AsyncVersion:
    def __init__(self, dataset: AsyncDataset, info: VersionShape) -> None:
        self.dataset, self.client, self.info, self.number = dataset, dataset.client, info, info.number

    def rows(self, split: str = "train") -> AsyncIterator[dict[str, Any]]:
        return self.client.lines(f"{self.address}/files/{split}.jsonl")

    async def trace(self, split: str, row: int) -> TraceShape:
        """A row by its number in the split, from 0, and what stands behind it."""
        return TraceShape(**await self.client.json(calls.get(f"{self.address}/rows/{split}/{row}")))

    async def download(self, folder: str | Path, names: Sequence[str] | None = None) -> list[Path]:
        """Fetch files, by default the Parquet of every split, and check every digest."""
        into = Path(folder)
        into.mkdir(parents=True, exist_ok=True)
        made = []
        for file in files.wanted(self.info, names):
            path = into / file.name
            if not files.whole(path, file):
                part = path.with_name(f"{path.name}.part")
                async with self.client.http.stream("GET", file.url) as answer:
                    if answer.is_error:
                        raise Problem.of(answer.status_code, await answer.aread())
                    with part.open("wb") as out:
                        async for chunk in answer.aiter_bytes(2**20):
                            out.write(chunk)
                files.place(part, path, file)
            made.append(path)
        return made

    async def to_pandas(self, folder: str | Path, split: str = "train") -> Any:
        await self.download(folder)
        return files.as_pandas(files.split_files(self.info, Path(folder)).get(split, []))

    async def to_datasets(self, folder: str | Path) -> Any:
        await self.download(folder)
        return files.as_datasets(files.split_files(self.info, Path(folder)))

    @property
    def address(self) -> str:
        return calls.version(self.dataset.project.slug, self.dataset.name, self.number)


class AsyncRun:
    def __init__(self, client: AsyncClient, info: RunShape) -> None:
        self.client, self.info, self.id = client, info, info.id

    @property
    def result(self) -> dict[str, Any]:
        return self.info.result

    async def refresh(self) -> AsyncRun:
        self.info = RunShape(**await self.client.json(calls.get(f"{calls.API}/runs/{self.id}")))
        return self

    async def wait(self, *, timeout: float | None = None, every: float = 0.5, progress: bool | None = None) -> AsyncRun:
        """Until it has ended, with a bar on a terminal. Raises RunFailed, or TimeoutError after `timeout` seconds."""
        began, bar = time.monotonic(), Bar(progress)
        bar.tell(self.info)
        while not self.info.ended:
            if timeout is not None and time.monotonic() - began > timeout:
                raise TimeoutError(f"{self.info.method} is still {self.info.state} after {timeout:g} s")
            await asyncio.sleep(every)
            bar.tell((await self.refresh()).info)
        if self.info.state != "succeeded":
            raise RunFailed(self.info.method, self.info.state, self.info.error)
        return self

    async def cancel(self) -> AsyncRun:
        self.info = RunShape(**await self.client.json(calls.post(f"{calls.API}/runs/{self.id}/cancel")))
        return self

    async def version(self) -> AsyncVersion:
        project = await self.client.project(str(self.info.project))
        return await project.dataset(self.result["dataset"]).version(self.result["number"])
