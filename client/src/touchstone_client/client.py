"""The client that waits: `Client`, and what it gives: projects, datasets, versions, runs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from touchstone_client import calls, files
from touchstone_client.calls import Call
from touchstone_client.problems import Problem, RunFailed, Unreachable
from touchstone_client.progress import Bar
from touchstone_client.shapes import Landed, ProjectShape, RunShape, TraceShape, VersionShape


class Client:
    """A connection to one Touchstone. `url` and `token`, or TOUCHSTONE_URL and TOUCHSTONE_TOKEN."""

    def __init__(self, url: str | None = None, token: str | None = None, *, timeout: float = 60.0) -> None:
        self.url, secret = calls.settings(url, token)
        headers = {"Authorization": f"Bearer {secret}"}
        self.http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.http.close()

    def projects(self) -> Iterator[Project]:
        """Every project of the token's user."""
        for one in self.pages(calls.get(f"{calls.API}/projects")):
            yield Project(self, ProjectShape(**one))

    def project(self, slug: str) -> Project:
        return Project(self, ProjectShape(**self.json(calls.get(calls.project(slug)))))

    def create_project(self, slug: str, name: str = "", *, preset: str = "pairwise", description: str = "") -> Project:
        """Make a project (staff, a token of scope manage)."""
        body = {"slug": slug, "name": name or slug, "preset": preset, "description": description}
        return Project(self, ProjectShape(**self.json(calls.post(f"{calls.API}/projects", body))))

    def run(self, run_id: str) -> Run:
        return Run(self, RunShape(**self.json(calls.get(f"{calls.API}/runs/{run_id}"))))

    def next_task(self, slug: str, kind: str | None = None) -> dict[str, Any] | None:
        """Reserve the next task of a project for the token's user; None when there is none."""
        answer = self.json(calls.post(f"{calls.project(slug)}/tasks/next", {}, kind=kind))
        return dict(answer["task"]) if answer else None

    def submit(self, task_id: int, **answer: Any) -> dict[str, Any]:
        """Commit the answer to a task in hand: `preferences`, `critiques`, `verdicts`, `ranks`, `active_ms` …"""
        return dict(self.json(calls.post(f"{calls.API}/tasks/{task_id}/submit", answer)))

    def models(self) -> Iterator[dict[str, Any]]:
        yield from self.pages(calls.get(f"{calls.API}/models"))

    def json(self, call: Call) -> Any:
        """The answer to a call. Raises Problem or Unreachable."""
        answer = self.send(call)
        return answer.json() if answer.content else None

    def send(self, call: Call) -> httpx.Response:
        """Send a call, again after a while where that is safe: a lost connection, a busy server."""
        for attempt in range(calls.TRIES):
            last = attempt == calls.TRIES - 1 or not call.repeatable
            try:
                answer = self.once(call)
            except httpx.TransportError as error:
                if last:
                    raise Unreachable(f"{call.method} {self.url}{call.path}: {error}") from error
                time.sleep(calls.pause(attempt, None))
                continue
            if answer.status_code in calls.AGAIN and not last:
                time.sleep(calls.pause(attempt, answer.headers.get("Retry-After")))
                continue
            if answer.is_error:
                raise Problem.of(answer.status_code, answer.content)
            return answer
        raise AssertionError("unreachable")

    def once(self, call: Call) -> httpx.Response:
        if call.content is None:
            return self.http.request(call.method, call.path, params=call.params, json=call.json, headers=call.headers)
        with call.content.open("rb") as body:
            length = {"Content-Length": str(call.content.stat().st_size)}
            headers = {**call.headers, **length}
            return self.http.request(call.method, call.path, params=call.params, content=body, headers=headers)

    def pages(self, call: Call) -> Iterator[dict[str, Any]]:
        """Every row of a list, page by page, as they are asked for."""
        cursor: str | None = None
        while True:
            page = self.json(Call("GET", call.path, {**call.params, **({"cursor": cursor} if cursor else {})}))
            yield from page["results"]
            cursor = page["next"]
            if cursor is None:
                return

    def lines(self, path: str, params: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """The rows of a stream of JSON lines, as they arrive."""
        told = {name: value for name, value in (params or {}).items() if value is not None}
        headers = {"Accept": "application/x-ndjson"}
        with self.http.stream("GET", path, params=told, headers=headers) as answer:
            if answer.is_error:
                raise Problem.of(answer.status_code, answer.read())
            for line in answer.iter_lines():
                if line:
                    yield json.loads(line)


class Project:
    """One project; what is known of it is in `info`."""

    def __init__(self, client: Client, info: ProjectShape) -> None:
        self.client, self.info, self.slug = client, info, info.slug

    def __repr__(self) -> str:
        return f"Project({self.slug!r})"

    def import_(
        self, rows: Iterable[dict[str, Any]] | str | Path, *, format: str = "auto", pairing: str | None = None,
        mapping: Sequence[str] | None = None, source: str | None = None, licence: str | None = None,
    ) -> Run:  # fmt: skip
        """Import rows or a file. Its run is at work or has ended; `.wait()`, then `.result` tells what landed."""
        options = {"format": format, "pairing": pairing, "mapping": mapping, "source": source, "licence": licence}
        with calls.import_call(self.slug, rows, options) as call:
            return Run(self.client, RunShape(**self.client.json(call)))

    def items(self, without: str | None = None) -> Iterator[dict[str, Any]]:
        """Items with responses and tasks; `without` an annotator's name: only what it has not spoken on."""
        yield from self.client.pages(calls.get(f"{calls.project(self.slug)}/items", without=without))

    def annotations(self) -> Iterator[dict[str, Any]]:
        yield from self.rows("annotations")

    def decisions(self) -> Iterator[dict[str, Any]]:
        yield from self.rows("decisions")

    def critiques(self, **wanted: str) -> Iterator[dict[str, Any]]:
        """Critiques; `annotator_kind`, `review`, `type` narrow them."""
        yield from self.rows("critiques", **wanted)

    def verdicts(self, **wanted: str) -> Iterator[dict[str, Any]]:
        yield from self.rows("verdicts", **wanted)

    def scores(self, model: str | None = None) -> Iterator[dict[str, Any]]:
        yield from self.rows("scores", model=model)

    def rows(self, what: str, **wanted: Any) -> Iterator[dict[str, Any]]:
        yield from self.client.lines(f"{calls.project(self.slug)}/{what}", wanted)

    def suggest(self, annotator: str | dict[str, Any], suggestions: Iterable[dict[str, Any]]) -> Landed:
        """Say what a critic of yours thinks; `annotator` is its name, or {name, kind, version}."""
        who = {"name": annotator, "kind": "model"} if isinstance(annotator, str) else annotator
        total: dict[str, Any] = {}
        for start, call in calls.suggestion_calls(self.slug, who, suggestions):
            calls.add_up(total, self.client.json(call), start)
        return Landed(**total)

    def start(self, method: str, **params: Any) -> Run:
        """Start a run: `score`, `prelabel`, `critique` … with its parameters."""
        body = {"method": method, "params": params}
        return Run(self.client, RunShape(**self.client.json(calls.post(f"{calls.project(self.slug)}/runs", body))))

    def runs(self) -> Iterator[Run]:
        """The runs of the project, the newest first."""
        for one in self.client.pages(calls.get(f"{calls.project(self.slug)}/runs")):
            yield Run(self.client, RunShape(**one))

    def datasets(self) -> Iterator[Dataset]:
        for one in self.client.pages(calls.get(f"{calls.project(self.slug)}/datasets")):
            yield Dataset(self, one["name"])

    def dataset(self, name: str) -> Dataset:
        """A dataset by its name; `make` gives it its first version."""
        return Dataset(self, name)


class Dataset:
    """A line of versions. What reads takes the newest that is ready, unless a number is given."""

    def __init__(self, project: Project, name: str) -> None:
        self.project, self.client, self.name = project, project.client, name

    def __repr__(self) -> str:
        return f"Dataset({self.project.slug!r}, {self.name!r})"

    def versions(self) -> Iterator[Version]:
        for one in self.client.pages(calls.get(f"{calls.dataset(self.project.slug, self.name)}/versions")):
            yield Version(self, VersionShape(**one))

    def version(self, number: int | None = None) -> Version:
        """A version by its number, or the newest that is ready. Raises LookupError when there is none."""
        if number is not None:
            found = self.client.json(calls.get(calls.version(self.project.slug, self.name, number)))
            return Version(self, VersionShape(**found))
        ready = [one for one in self.versions() if one.info.state == "ready"]
        if not ready:
            raise LookupError(f"{self.project.slug}/{self.name} has no version that is ready")
        return ready[-1]

    def make(
        self, target: str = "trl-preference", *, filters: dict[str, Any] | None = None,
        splits: dict[str, float] | None = None, seed: int = 0, **more: Any,
    ) -> Run:  # fmt: skip
        """Make the next version; `.wait().version()` is it."""
        body = {"target": target, "filters": filters or {}, "splits": splits or {"train": 1.0}, "seed": seed, **more}
        call = calls.post(f"{calls.dataset(self.project.slug, self.name)}/versions", body)
        return Run(self.client, RunShape(**self.client.json(call)))

    def to_pandas(self, split: str = "train", number: int | None = None) -> Any:
        return self.version(number).to_pandas(split)

    def to_datasets(self, number: int | None = None) -> Any:
        return self.version(number).to_datasets()

    def download(self, folder: str | Path, number: int | None = None, names: Sequence[str] | None = None) -> list[Path]:
        return self.version(number).download(folder, names)


class Version:
    """One immutable version; what is known of it is in `info`."""

    def __init__(self, dataset: Dataset, info: VersionShape) -> None:
        self.dataset, self.client, self.info, self.number = dataset, dataset.client, info, info.number

    def __repr__(self) -> str:
        return f"Version({self.dataset.project.slug!r}, {self.dataset.name!r}, {self.number})"

    def rows(self, split: str = "train") -> Iterator[dict[str, Any]]:
        """The rows of a split (or of a companion: annotations, lineage, critiques …), as they arrive."""
        yield from self.client.lines(f"{self.address}/files/{split}.jsonl")

    def trace(self, split: str, row: int) -> TraceShape:
        """A row by its number in the split, from 0: the item, the annotations behind it, whose, how long they took."""
        return TraceShape(**self.client.json(calls.get(f"{self.address}/rows/{split}/{row}")))

    def download(self, folder: str | Path, names: Sequence[str] | None = None) -> list[Path]:
        """Fetch files, by default the Parquet of every split; goes on where it broke off, and checks every digest."""
        into = Path(folder)
        into.mkdir(parents=True, exist_ok=True)
        made = []
        for file in files.wanted(self.info, names):
            path = into / file.name
            if not files.whole(path, file):
                self.fetch(file, path)
            made.append(path)
        return made

    def fetch(self, file: Any, path: Path) -> None:
        part = path.with_name(f"{path.name}.part")
        for attempt in range(calls.TRIES):
            have = part.stat().st_size if part.is_file() else 0
            headers = {"Range": f"bytes={have}-", "If-Range": f'"{file.sha256}"'} if 0 < have < file.bytes else {}
            try:
                with self.client.http.stream("GET", file.url, headers=headers) as answer:
                    if answer.is_error:
                        raise Problem.of(answer.status_code, answer.read())
                    with part.open("ab" if answer.status_code == 206 else "wb") as out:
                        for chunk in answer.iter_bytes(2**20):
                            out.write(chunk)
                break
            except httpx.TransportError as error:
                if attempt == calls.TRIES - 1:
                    raise Unreachable(f"{file.name}: {error}") from error
                time.sleep(calls.pause(attempt, None))
        files.place(part, path, file)

    def to_pandas(self, split: str = "train", folder: str | Path | None = None) -> Any:
        return files.as_pandas(self.local(folder).get(split, []))

    def to_datasets(self, folder: str | Path | None = None) -> Any:
        """A `datasets.DatasetDict`, with every split that has rows."""
        return files.as_datasets(self.local(folder))

    def local(self, folder: str | Path | None) -> dict[str, list[str]]:
        """The Parquet files by split, downloaded into `folder` or into the cache in the home folder."""
        into = Path(folder) if folder else Path.home() / ".cache" / "touchstone" / self.info.hash
        self.download(into)
        return files.split_files(self.info, into)

    @property
    def address(self) -> str:
        return calls.version(self.dataset.project.slug, self.dataset.name, self.number)


class Run:
    """A run; what is known of it is in `info`, `result` what came of it."""

    def __init__(self, client: Client, info: RunShape) -> None:
        self.client, self.info, self.id = client, info, info.id

    def __repr__(self) -> str:
        return f"Run({self.info.method!r}, {self.info.state!r})"

    @property
    def result(self) -> dict[str, Any]:
        return self.info.result

    def refresh(self) -> Run:
        self.info = RunShape(**self.client.json(calls.get(f"{calls.API}/runs/{self.id}")))
        return self

    def wait(self, *, timeout: float | None = None, every: float = 0.5, progress: bool | None = None) -> Run:
        """Until it has ended, with a bar on a terminal. Raises RunFailed, or TimeoutError after `timeout` seconds."""
        began, bar = time.monotonic(), Bar(progress)
        bar.tell(self.info)
        while not self.info.ended:
            if timeout is not None and time.monotonic() - began > timeout:
                raise TimeoutError(f"{self.info.method} is still {self.info.state} after {timeout:g} s")
            time.sleep(every)
            bar.tell(self.refresh().info)
        if self.info.state != "succeeded":
            raise RunFailed(self.info.method, self.info.state, self.info.error)
        return self

    def cancel(self) -> Run:
        self.info = RunShape(**self.client.json(calls.post(f"{calls.API}/runs/{self.id}/cancel")))
        return self

    def log(self) -> str:
        return str(self.client.json(calls.get(f"{calls.API}/runs/{self.id}/log"))["log"])

    def version(self) -> Version:
        """The dataset version that this run made."""
        dataset = self.client.project(str(self.info.project)).dataset(self.result["dataset"])
        return dataset.version(self.result["number"])
