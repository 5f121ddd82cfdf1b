"""`python -m workers.pushing`: files into a dataset repository of a Hub, by huggingface_hub, in a process of its own.

A request comes as one line of JSON on standard input: the token too, so that no list of processes shows it. What is
done goes out as JSON lines: `{"done": bytes, "total": bytes}`, `{"said": words}`, and at the end `{"result": {…}}` or
`{"refused": words}`. When the other end of the input closes, this process ends: it does not outlive who asked.

All is in one commit, so a repository never holds half a version. What was uploaded before a `kill -9` is there by its
digest and not sent again; the same files once more make no commit. Files that an earlier version left are taken away:
those that its manifest names and the new one does not.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import orjson

from workers import outside
from workers.tables import sha256

if TYPE_CHECKING:
    from huggingface_hub import HfApi

KIND = "dataset"
HEAD = "main"
MANIFEST = "manifest.json"
TRIES = 5
PAUSE = 1.0
"""Seconds before a call that failed is made again; twice as long each time."""
AGAIN = (429, 500, 502, 503, 504)
WORDS = {
    401: "the Hub does not accept the token; set TOUCHSTONE_HUB_TOKEN to one that may write to {repo}",
    403: "the token may not write to {repo}",
    404: "{repo} is not there, or the token may not see it",
    409: "{repo} is being changed by somebody else; try again",
    412: "{repo} was changed by somebody else meanwhile; try again",
    413: "the Hub takes no file of this size",
    429: "the Hub wants fewer requests; try again later",
}
Made = TypeVar("Made")


class Refused(Exception):
    """What a person is told."""


@dataclass(frozen=True, slots=True)
class File:
    name: str
    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Push:
    """What goes where. `allowed`, as outside.checked has it, are hosts that may lie inside."""

    endpoint: str
    token: str
    repo: str
    files: Sequence[File]
    private: bool = True
    branch: str = HEAD
    tag: str = ""
    message: str = "Push"
    allowed: Sequence[str] = field(default_factory=list)


def main() -> None:
    given = orjson.loads(sys.stdin.buffer.readline())
    threading.Thread(target=end_with_the_other, daemon=True).start()
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print goes to the log

    def tell(**what: Any) -> None:
        os.write(out, orjson.dumps(what, option=orjson.OPT_APPEND_NEWLINE))

    push = Push(**{**given, "files": [File(**one) for one in given["files"]]})
    try:
        tell(result=pushed(push, tell))
    except (Refused, outside.Refused) as error:
        tell(refused=str(error))
    except Exception as error:
        tell(refused=explained(error, push) or f"{type(error).__name__}: {error}"[:500])


def end_with_the_other() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(1)


def pushed(push: Push, tell: Callable[..., None]) -> dict[str, Any]:
    """Make the repository say what the files say. Raises Refused, or what huggingface_hub raises."""
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise Refused("this worker cannot push: huggingface_hub is not installed") from None
    guarded(push)
    for file in push.files:
        if sha256(Path(file.path)) != file.sha256:
            raise Refused(f"{file.name} has other bytes than it had; check the version")
    api = HfApi(endpoint=push.endpoint, token=push.token)
    named: Any = {"repo_id": push.repo, "repo_type": KIND}
    tried(lambda: api.create_repo(**named, private=push.private, exist_ok=True))
    if tried(lambda: api.repo_info(**named)).private is False and push.private:
        raise Refused(f"{push.repo} is there already and public; say private: false if that is what you want")
    if push.branch != HEAD:
        tried(lambda: api.create_branch(**named, branch=push.branch, exist_ok=True))
    upload(api, push, tell)
    made = tried(lambda: commit(api, push))
    return made | tagged(api, push, made["commit"], tell)


def upload(api: HfApi, push: Push, tell: Callable[..., None]) -> None:
    """Send what the Hub keeps as large files, one after the other; it says itself what it has already."""
    done, total = 0, sum(file.bytes for file in push.files)
    tell(done=0, total=total)
    for file in push.files:
        tried(
            lambda file=file: api.preupload_lfs_files(  # type: ignore[misc]
                push.repo, [addition(file)], repo_type=KIND, revision=push.branch
            )
        )
        done += file.bytes
        tell(done=done, total=total)


def addition(file: File) -> Any:
    from huggingface_hub import CommitOperationAdd

    made = CommitOperationAdd(path_in_repo=file.name, path_or_fileobj=file.path)
    made.upload_info.sha256 = bytes.fromhex(file.sha256)
    return made


def commit(api: HfApi, push: Push) -> dict[str, Any]:
    """All files in one commit on the head as it is now; without one when nothing is to be changed."""
    from huggingface_hub import CommitOperationDelete

    named: Any = {"repo_id": push.repo, "repo_type": KIND, "revision": push.branch}
    head = api.repo_info(**named).sha
    gone = left_behind(api, push, set(api.list_repo_files(**named)))
    made = api.create_commit(
        **named,
        operations=[*map(addition, push.files), *(CommitOperationDelete(path_in_repo=name) for name in gone)],
        commit_message=push.message,
        parent_commit=head,
    )
    return {"commit": made.oid, "commit_url": made.commit_url, "changed": made.oid != head, "deleted": gone}


def left_behind(api: HfApi, push: Push, there: set[str]) -> list[str]:
    """Files in the repository that the manifest there names, and that are not of this version."""
    if MANIFEST not in there:
        return []
    with tempfile.TemporaryDirectory(prefix="touchstone-push-") as cache:
        path = api.hf_hub_download(push.repo, MANIFEST, repo_type=KIND, revision=push.branch, cache_dir=cache)
        try:
            named = set(orjson.loads(Path(path).read_bytes())["files"])
        except (ValueError, KeyError, TypeError):
            return []
    return sorted((named & there) - {file.name for file in push.files})


def tagged(api: HfApi, push: Push, at: str, tell: Callable[..., None]) -> dict[str, Any]:
    """The tag, where one is wanted; one that is there stays where it is, since a tag names the same for ever."""
    if not push.tag:
        return {}
    named: Any = {"repo_id": push.repo, "repo_type": KIND}
    known = {one.name: one.target_commit for one in tried(lambda: api.list_repo_refs(**named)).tags}
    if push.tag not in known:
        tried(lambda: api.create_tag(**named, tag=push.tag, revision=at, exist_ok=True))
    elif known[push.tag] != at:
        tell(said=f"the tag {push.tag} was there already, at {known[push.tag]}, and stays there")
    return {"tag": push.tag, "tag_at": known.get(push.tag, at)}


def guarded(push: Push) -> None:
    """Let the client reach the endpoint, what is allowed, and the internet, where uploads and redirects may lead."""
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils._http import default_client_factory

    home = urlsplit(push.endpoint).netloc

    def checked(request: Any) -> None:
        if urlsplit(str(request.url)).netloc != home:
            outside.checked(str(request.url), push.allowed)

    def client() -> Any:
        made = default_client_factory()
        made.event_hooks = {**made.event_hooks, "request": [*made.event_hooks["request"], checked]}
        return made

    set_client_factory(client)


def tried(call: Callable[[], Made]) -> Made:
    """What a call gives, made again while the Hub or the way there fails."""
    for pause in [PAUSE * 2**n for n in range(TRIES - 1)]:
        try:
            return call()
        except Exception as error:
            if not (status_of(error) in AGAIN or unreached(error)):
                raise
        time.sleep(pause)
    return call()


def status_of(error: BaseException) -> int | None:
    """The status of the answer behind an error; an upload tells its own in the cause."""
    answer = getattr(error, "response", None)
    if answer is None and error.__cause__ is not None:
        return status_of(error.__cause__)
    return getattr(answer, "status_code", None)


def unreached(error: BaseException) -> bool:
    """Whether nobody answered, by the name that the HTTP client gives it."""
    return any(kind.__name__ == "TransportError" for kind in type(error).__mro__) or (
        error.__cause__ is not None and unreached(error.__cause__)
    )


def explained(error: BaseException, push: Push) -> str | None:
    """An error in words for a person; None for what has none."""
    if isinstance(error.__cause__, outside.Refused | Refused):
        return str(error.__cause__)
    if unreached(error):
        return f"{push.endpoint} does not answer"
    status = status_of(error)
    if status is None:
        return str(error)[:500] if isinstance(error, ValueError) else None
    said = getattr(error, "server_message", None) or getattr(error.__cause__, "server_message", None)
    told = WORDS.get(status, "the Hub fails; try again later" if status >= 500 else "the Hub refuses")
    return f"{told.format(repo=push.repo)} ({status}{f': {said}' if said else ''})"


if __name__ == "__main__":
    main()
