"""Repositories on the Hugging Face Hub, looked at through its API: the commit, the files, headers, small files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from workers.judging import Unusable
from workers.weights import READ_MOST

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TIMEOUT = 15.0


class Unreachable(Unusable):
    """Nobody answers: says nothing about the model itself."""


class Repository:
    """One commit of a model repository. Raises Unreachable without a network, Unusable when there is no such thing."""

    def __init__(self, hub_id: str, revision: str = "", *, endpoint: str | None = None) -> None:
        try:
            from huggingface_hub import HfApi
        except ImportError:
            raise Unreachable("this worker cannot ask the Hub: huggingface_hub is not installed") from None

        self.id = hub_id
        self.api: HfApi = HfApi(endpoint=endpoint or os.environ.get("HF_ENDPOINT"))
        info = self.asked(
            lambda: self.api.model_info(hub_id, revision=revision or None, files_metadata=True, timeout=TIMEOUT)
        )
        if not info.sha:
            raise Unusable(f"the Hub names no commit of {hub_id}")
        self.revision: str = info.sha
        self.files = {file.rfilename: file for file in info.siblings or []}

    def sizes(self) -> Mapping[str, int]:
        return {name: file.size or 0 for name, file in self.files.items() if not name.startswith(".")}

    def digest(self, name: str) -> str:
        """The SHA-256 of large files; of others the hash under which git keeps them."""
        file = self.files[name]
        return str(file.lfs.sha256 if file.lfs else file.blob_id)

    def read(self, name: str) -> bytes:
        if (self.files[name].size or 0) > READ_MOST:
            raise Unusable(f"{name} is larger than such a file should be")
        return self.fetch(name)

    def header(self, name: str) -> bytes:
        from workers.weights import header_length

        length = header_length(self.fetch(name, 0, 7), self.files[name].size or 0, name)
        return self.fetch(name, 8, 7 + length)

    def fetch(self, name: str, first: int | None = None, last: int | None = None) -> bytes:
        """A file of this commit, or the bytes `first` to `last` of it."""
        from huggingface_hub import get_session, hf_hub_url
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

        url = hf_hub_url(self.id, name, revision=self.revision, endpoint=self.api.endpoint)
        headers = build_hf_headers()
        if first is not None:
            headers["Range"] = f"bytes={first}-{last}"

        def get() -> bytes:
            answer = get_session().get(url, headers=headers, timeout=TIMEOUT, follow_redirects=True)
            hf_raise_for_status(answer)
            return bytes(answer.content)

        data = self.asked(get)
        return data if first is None or last is None else data[: last - first + 1]

    def asked(self, question: Any) -> Any:
        return asked(self.id, question, "without a network, name a folder: hf:/path/of/the/model")


def asked(hub_id: str, question: Callable[[], Any], otherwise: str) -> Any:
    """What the Hub answers, its errors said in words; `otherwise` is what to do where it cannot be reached."""
    from huggingface_hub import errors

    try:
        return question()
    except errors.GatedRepoError:
        raise Unusable(f"{hub_id} is gated: accept its terms and set HF_TOKEN for the workers") from None
    except errors.RevisionNotFoundError:
        raise Unusable(f"{hub_id} has no such revision") from None
    except errors.RepositoryNotFoundError:
        raise Unusable(f"there is no {hub_id} on the Hub, or it is private") from None
    except errors.HFValidationError as error:
        raise Unusable(str(error)) from None
    except errors.HfHubHTTPError as error:
        raise Unreachable(f"the Hub answers with an error: {str(error).splitlines()[0][:200]}") from None
    except Exception as error:  # huggingface_hub lets errors of several HTTP libraries through
        raise Unreachable(f"the Hub cannot be reached from the worker ({type(error).__name__}); {otherwise}") from None
