"""The write side of a Hugging Face Hub for tests: a real HTTP server that keeps commits, large files and tags.

As huggingface_hub 2.4 calls it: repositories made, `preupload`, the LFS batch with its PUTs, the commit as NDJSON,
branches, tags; and what it reads meanwhile. Files above `SMALL` bytes are large ones.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

SMALL = 2000
TOKEN = "hf_secret_of_the_house"
Tree = dict[str, bytes]


@dataclass
class Repository:
    private: bool
    commits: dict[str, Tree] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def at(self, revision: str) -> str | None:
        found = self.branches.get(revision) or self.tags.get(revision)
        return found or (revision if revision in self.commits else None)

    def commit(self, branch: str, tree: Tree) -> str:
        names = json.dumps([len(self.commits), sorted((name, sha256(data)) for name, data in tree.items())])
        sha = hashlib.sha1(names.encode(), usedforsecurity=False).hexdigest()
        self.commits[sha] = tree
        self.branches[branch] = sha
        return sha


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def large(data: bytes) -> bool:
    return len(data) > SMALL


class Hub:
    """`fails` holds answers to give instead, by a part of the address: (status, times) or (status, times, message)."""

    def __init__(self) -> None:
        self.url = ""
        self.repositories: dict[str, Repository] = {}
        self.objects: Tree = {}
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.fails: dict[str, list[Any]] = {}
        self.slow = 0.0
        self.uploads_elsewhere = ""
        self.lock = threading.Lock()

    def files(self, name: str, revision: str = "main") -> Tree:
        repository = self.repositories[name]
        return repository.commits[str(repository.at(revision))]

    def times(self, method: str, part: str) -> int:
        return sum(1 for one, path in self.asked if one == method and part in path)


class Answer(Exception):
    def __init__(self, status: int, data: Any = None, code: str = "") -> None:
        self.status, self.data, self.code = status, data, code


def handled(hub: Hub, method: str, path: str, body: bytes, headers: Any) -> tuple[int, Any]:
    """The answer to a request; raises Answer for one that is an error."""
    for part, told in hub.fails.items():
        if part in f"{method} {path}" and told[1] > 0:
            told[1] -= 1
            raise Answer(told[0], {"error": told[2] if len(told) > 2 else "made to fail"})
    if path.startswith("/upload/"):
        time.sleep(hub.slow)
        if sha256(body) != path.removeprefix("/upload/"):
            raise Answer(400, {"error": "another digest"})
        hub.objects[sha256(body)] = body
        return 200, None
    if headers.get("Authorization") != f"Bearer {TOKEN}":
        raise Answer(401, {"error": "Invalid username or password."})
    given = json.loads(body) if body.startswith(b"{") and b"\n" not in body.strip() else None
    if path == "/api/repos/create":
        return made(hub, given)
    if path == "/api/validate-yaml":
        return 200, {"errors": [], "warnings": []}
    if found := re.fullmatch(r"/datasets/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
        return 200, batch(hub, repository(hub, found[1]) and given)
    if found := re.fullmatch(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
        return 200, resolved(repository(hub, found[1]), found[2], found[3])
    if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/(\w+)(?:/([^/]+))?)?/?", path):
        return repo_call(hub, found[1], found[2] or "", unquote(found[3] or "main"), method, given, body)
    raise Answer(404, {"error": f"nothing at {path}"})


def repository(hub: Hub, name: str) -> Repository:
    if name not in hub.repositories:
        raise Answer(404, {"error": "Repository not found"}, "RepoNotFound")
    return hub.repositories[name]


def made(hub: Hub, given: Any) -> tuple[int, Any]:
    name = f"{given['organization']}/{given['name']}"
    if name in hub.repositories:
        raise Answer(409, {"error": "You already created this dataset repo", "url": f"{hub.url}/datasets/{name}"})
    made = hub.repositories[name] = Repository(private=given["visibility"] == "private")
    made.commit("main", {".gitattributes": b"*.parquet filter=lfs\n"})
    return 200, {"url": f"{hub.url}/datasets/{name}", "name": name}


def batch(hub: Hub, given: Any) -> Any:
    objects = []
    for one in given["objects"]:
        told = {"oid": one["oid"], "size": one["size"]}
        if one["oid"] not in hub.objects:
            where = f"{hub.uploads_elsewhere or hub.url}/upload/{one['oid']}"
            told["actions"] = {"upload": {"href": where, "header": {}}}
        objects.append(told)
    return {"transfer": "basic", "objects": objects}


def resolved(repository: Repository, revision: str, name: str) -> bytes:
    sha = repository.at(unquote(revision))
    if sha is None:
        raise Answer(404, {"error": "no such revision"}, "RevisionNotFound")
    if name not in repository.commits[sha]:
        raise Answer(404, {"error": "no such file"}, "EntryNotFound")
    return repository.commits[sha][name]


def repo_call(hub: Hub, name: str, call: str, revision: str, method: str, given: Any, body: bytes) -> tuple[int, Any]:
    found = repository(hub, name)
    if call == "refs":
        refs = {kind: [{"name": one, "ref": one, "targetCommit": sha} for one, sha in each.items()]
                for kind, each in (("branches", found.branches), ("tags", found.tags))}  # fmt: skip
        return 200, {**refs, "converts": [], "pullRequests": []}
    if call == "branch":
        if revision in found.branches:
            raise Answer(409, {"error": "Reference already exists"})
        found.branches[revision] = found.branches["main"]
        return 200, {}
    if call == "tag":
        if given["tag"] in found.tags:
            raise Answer(409, {"error": "Tag exists"})
        found.tags[given["tag"]] = str(found.at(revision))
        return 200, {}
    sha = found.at(revision)
    if sha is None:
        raise Answer(404, {"error": "no such revision"}, "RevisionNotFound")
    tree = found.commits[sha]
    if call == "preupload":
        return 200, {"files": [uploaded(tree, one) for one in given["files"]]}
    if call == "commit":
        return 200, committed(hub, name, found, revision, sha, [json.loads(line) for line in body.splitlines()])
    if call == "tree":
        return 200, [
            {"type": "file", "path": path, "size": len(data), "oid": blob(data)} for path, data in tree.items()
        ]
    siblings = [{"rfilename": path} for path in tree]
    return 200, {"id": name, "_id": name, "sha": sha, "private": found.private, "siblings": siblings, "tags": []}


def uploaded(tree: Tree, one: Any) -> Any:
    there = tree.get(one["path"])
    oid = None if there is None else sha256(there) if large(there) else blob(there)
    mode = "lfs" if one["size"] > SMALL else "regular"
    return {"path": one["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid}


def committed(hub: Hub, name: str, found: Repository, branch: str, head: str, lines: list[Any]) -> Any:
    with hub.lock:
        tree = dict(found.commits[head])
        for line in lines:
            value = line["value"]
            if line["key"] == "header" and value.get("parentCommit", head) != head:
                raise Answer(412, {"error": "A commit has happened since. Please refresh and try again."})
            if line["key"] == "file":
                tree[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                if value["oid"] not in hub.objects:
                    raise Answer(400, {"error": f"{value['path']} was not uploaded"})
                tree[value["path"]] = hub.objects[value["oid"]]
            elif line["key"] == "deletedFile":
                del tree[value["path"]]
        sha = found.commit(branch, tree)
    return {"success": True, "commitOid": sha, "commitUrl": f"{hub.url}/datasets/{name}/commit/{sha}"}


@contextmanager
def serving() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.body()
            path = urlsplit(self.path).path
            hub.asked.append((self.command, path))
            hub.headers.append(dict(self.headers.items()))
            code = ""
            try:
                status, data = handled(hub, "GET" if self.command == "HEAD" else self.command, path, body, self.headers)
            except Answer as told:
                status, data, code = told.status, told.data, told.code
            raw = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
            if isinstance(data, dict) and "error" in data:
                self.send_header("X-Error-Message", str(data["error"]))
            if isinstance(data, bytes):
                self.send_header("ETag", f'"{blob(data)}"')
                self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Content-Type", "text/plain" if isinstance(data, bytes) else "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(raw)

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                data = b""
                while size := int(self.rfile.readline(), 16):
                    data += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return data
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        do_GET = do_POST = do_PUT = do_HEAD = answer

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Clients that were killed hang up."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
