"""The calls that the Hub's clients make, answered from dataset versions and models. Nothing is public."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBase
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation.api.auth import TokenAuthentication, caller
from curation.api.problems import problem
from curation.downloads import note, send
from curation.hub import repos
from curation.hub.repos import HEAD, Commit, Entry, Missing
from curation.models import Project, Scope
from curation.services.exporting import Content

LISTED = 1000
"""Files on a page of a tree, repositories on a page of a list."""
NOT_SIGNED_IN = "Invalid credentials in Authorization header"


class HubView(APIView):
    """Errors are told as the Hub's clients read them: a status and the header X-Error-Code."""

    authentication_classes = [TokenAuthentication]
    parser_classes = [JSONParser, FormParser, MultiPartParser]
    schema = None

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, Missing):
            refused = problem(404, exc.detail, error=exc.detail)
            refused["X-Error-Code"], refused["X-Error-Message"] = exc.code, exc.detail
            return refused
        answer = super().handle_exception(exc)
        if isinstance(exc, AuthenticationFailed):
            answer["X-Error-Message"] = NOT_SIGNED_IN
        elif isinstance(exc, NotAuthenticated):
            answer["X-Error-Code"], answer["X-Error-Message"] = "RepoNotFound", "sign in with a token (HF_TOKEN)"
        return answer


class WhoView(HubView):
    """Whose token it is: `huggingface_hub.whoami`, `hf auth whoami`."""

    def get(self, request: Request) -> Reply:
        user, token = caller(request), request.auth
        access = {"displayName": getattr(token, "name", ""), "role": "read"}
        return Reply(
            {
                "type": "user",
                "id": str(user.pk),
                "name": user.username,
                "fullname": str(user),
                "isPro": False,
                "orgs": [],
                "auth": {"type": "access_token", "accessToken": access},
            }
        )


class DatasetsView(HubView):
    """Datasets that the caller may read, by page; `author` is a project, `search` a part of a name."""

    def get(self, request: Request) -> Reply:
        rows = repos.datasets_of(caller(request)).order_by("pk")
        if author := asked(request, "author"):
            rows = rows.filter(project__slug=author)
        if search := asked(request, "search"):
            rows = rows.filter(name__icontains=search)
        after, limit = whole(request, "cursor", 0), min(whole(request, "limit", LISTED) or LISTED, LISTED)
        found = list(rows.filter(pk__gt=after)[: limit + 1])
        answer = Reply([summary("dataset", f"{one.project.slug}/{one.name}") for one in found[:limit]])
        return linked(request, answer, found[limit - 1].pk if len(found) > limit else None)


class ModelsView(HubView):
    """Models that the caller may read and whose files are here; the newest version of each."""

    def get(self, request: Request) -> Reply:
        rows = repos.models_of(caller(request))
        if search := asked(request, "search"):
            rows = rows.filter(name__icontains=search)
        if author := asked(request, "author"):
            rows = rows.filter(project=None) if author == repos.SHARED else rows.filter(project__slug=author)
        if cursor := whole(request, "cursor", 0):
            rows = rows.filter(pk__lt=cursor)
        found = list(rows[: LISTED + 1])
        names = {repos.name_of(model): None for model in found[:LISTED]}
        answer = Reply([summary("model", name) for name in names])
        return linked(request, answer, found[LISTED - 1].pk if len(found) > LISTED else None)


class RepoView(HubView):
    """A repository at a revision: its commit, files and tags."""

    def get(self, request: Request, kind: str, namespace: str, name: str, revision: str = HEAD) -> Reply:
        found = repos.commit(request, kind, namespace, name, revision)
        files = [
            {"rfilename": one.path, **(described(one) if "blobs" in request.query_params else {})}
            for one in found.entries
        ]
        return Reply({**summary(kind, found.repo), **about(found), "siblings": files})


class TreeView(HubView):
    """The files of a commit below a path, by page."""

    def get(self, request: Request, kind: str, namespace: str, name: str, revision: str, path: str = "") -> Reply:
        found = repos.commit(request, kind, namespace, name, revision)
        below = [one for one in found.entries if not path or one.path == path or one.path.startswith(f"{path}/")]
        if path and not below:
            raise Missing(f"{path} is not in {found.repo} at {found.label}", "EntryNotFound")
        shown = listing(found, below, path.strip("/"), deep=asked(request, "recursive").lower() == "true")
        start, limit = whole(request, "cursor", 0), min(whole(request, "limit", LISTED) or LISTED, LISTED)
        more = start + limit if len(shown) > start + limit else None
        return linked(request, Reply(shown[start : start + limit]), more)


class PathsView(HubView):
    """What stands at some paths of a commit; those that are not there are left out. It only reads."""

    write_scope = Scope.READ

    def post(self, request: Request, kind: str, namespace: str, name: str, revision: str) -> Reply:
        found = repos.commit(request, kind, namespace, name, revision)
        given: Any = request.data
        told = given.getlist("paths") if hasattr(given, "getlist") else dict_of(given).get("paths", [])
        paths = told if isinstance(told, list) else [told]
        known = {one["path"]: one for one in [*listing(found, found.entries, "", deep=True)]}
        return Reply([known[path] for path in paths if isinstance(path, str) and path in known])


class RefsView(HubView):
    """The versions of a repository: one branch, and a tag for each."""

    def get(self, request: Request, kind: str, namespace: str, name: str) -> Reply:
        (_, head), *tags = repos.labels_of(caller(request), kind, namespace, name)
        branches = [{"name": HEAD, "ref": f"refs/heads/{HEAD}", "targetCommit": head}]
        told = [{"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": sha} for tag, sha in tags]
        return Reply({"branches": branches, "converts": [], "tags": told, "pullRequests": []})


class CommitsView(HubView):
    """The history of a repository, as its versions."""

    def get(self, request: Request, kind: str, namespace: str, name: str, revision: str) -> Reply:
        found = repos.commit(request, kind, namespace, name, revision)
        labels = repos.labels_of(caller(request), kind, namespace, name)[1:]
        at = next((n for n, (_, sha) in enumerate(labels) if sha == found.sha), 0)
        date = stamp(found)
        return Reply(
            [{"id": sha, "title": label, "message": "", "date": date, "authors": []} for label, sha in labels[at:]]
        )


class ResolveView(HubView):
    """A file, whole or in part."""

    def get(self, request: Request, kind: str, namespace: str, name: str, revision: str, path: str) -> HttpResponseBase:
        found = repos.commit(request, kind, namespace, name, revision)
        one = found.entry(path)
        if not one.place.is_file():
            raise Missing(f"{path} is not on this machine", "EntryNotFound")
        extra = {
            "X-Repo-Commit": found.sha,
            "X-Linked-ETag": f'"{one.sha256}"',
            "X-Linked-Size": str(one.size),
            "Access-Control-Expose-Headers": "X-Repo-Commit, X-Linked-ETag, X-Linked-Size",
        }
        reply = send(request, Content.of(one.place, one.size, one.sha256), extra)
        note(request, reply, Project.objects.filter(slug=namespace).first(), f"{kind} {name} {found.label}/{path}")
        return reply


class NothingView(HubView):
    """Every other address: nothing of it is here."""

    def get(self, request: Request, **_: Any) -> HttpResponse:
        refused = problem(404, f"this Hub does not answer {request.path}")
        if "/revision/" in request.path or "/commits/" in request.path:
            refused["X-Error-Code"] = "RevisionNotFound"
        return refused


def summary(kind: str, repo: str) -> dict[str, Any]:
    """What a list tells of a repository."""
    namespace = repo.partition("/")[0]
    told = {"_id": repo, "id": repo, "author": namespace, "private": True, "gated": False, "disabled": False}
    return told | ({"modelId": repo} if kind == "model" else {}) | {"downloads": 0, "likes": 0, "tags": []}


def stamp(found: Commit) -> str:
    """When it was made, as these clients parse it."""
    return found.made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def about(found: Commit) -> dict[str, Any]:
    moment = stamp(found)
    return {
        "sha": found.sha,
        "lastModified": moment,
        "createdAt": moment,
        "tags": list(found.tags),
        "usedStorage": sum(one.size for one in found.entries),
    }


def described(one: Entry) -> dict[str, Any]:
    return {
        "size": one.size,
        "blobId": one.sha256[:40],
        "lfs": {"size": one.size, "sha256": one.sha256, "pointerSize": 134},
    }


def listing(found: Commit, entries: Any, path: str, *, deep: bool) -> list[dict[str, Any]]:
    """Files and folders directly below `path`, or all of them, in the order of their names."""
    last = {"id": found.sha, "title": found.label, "date": stamp(found)}
    made: dict[str, dict[str, Any]] = {}
    for one in entries:
        inner = one.path[len(path) :].strip("/") if path else one.path
        folders = inner.split("/")[:-1]
        for depth in range(1, len(folders) + 1):
            place = "/".join([*([path] if path else []), *folders[:depth]])
            if deep or depth == 1:
                made.setdefault(
                    place, {"type": "directory", "oid": found.sha, "size": 0, "path": place, "lastCommit": last}
                )
        if deep or not folders:
            made[one.path] = {
                "type": "file",
                "oid": one.sha256[:40],
                "size": one.size,
                "path": one.path,
                "lfs": {"oid": one.sha256, "size": one.size, "pointerSize": 134},
                "lastCommit": last,
            }
    return [made[name] for name in sorted(made)]


def dict_of(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {}


def asked(request: Request, name: str) -> str:
    return str(request.query_params.get(name, "")).replace("\0", "")


def whole(request: Request, name: str, default: int) -> int:
    given = asked(request, name)
    return int(given) if given.isascii() and given.isdigit() and len(given) < 18 else default


def linked(request: Request, answer: Reply, cursor: int | None) -> Reply:
    """The answer with the address of the next page, where there is one."""
    if cursor is not None:
        query = {**request.query_params.dict(), "cursor": str(cursor)}
        answer["Link"] = f'<{request.build_absolute_uri(request.path)}?{urlencode(query)}>; rel="next"'
    return answer
