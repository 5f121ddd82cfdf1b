"""What lies in a model's folder, looked at without loading it: no torch, no code of the model's, no pickle.

Weights are taken from *.safetensors only, which cannot run code. A folder is read through a Source: one on disk, or
a repository on the Hub of which only headers and small files are fetched (workers/hub.py).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml

from workers.judging import Unusable

PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5", ".keras", ".msgpack")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.txt", "vocab.json", "spiece.model", "tokenizer_config.json")
INDEX = "model.safetensors.index.json"
HEADER_MOST = 100_000_000
CARD_MOST = 200_000
READ_MOST = 20_000_000
OURS = {"mix-llama": "mix_ln.py"}
"""Architectures of our own (workers/nn/mix_ln.py), and the file that is written beside their weights."""
FITTING = {
    "reward": ("ForSequenceClassification",),
    "cost": ("ForSequenceClassification",),
    "token": ("ForTokenClassification",),
    "step": ("ForTokenClassification",),
    "critic": ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration"),
    "implicit": ("ForCausalLM", "LMHeadModel"),
    "policy": ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration"),
}
"""Endings of the architectures that each kind takes; an embedder may be anything with hidden states."""
WANTED = {
    "ForSequenceClassification": "a sequence classification model",
    "ForTokenClassification": "a token classification model",
    "ForCausalLM": "a causal language model",
}


class Source(Protocol):
    """Files of a model by name, wherever they are."""

    def sizes(self) -> Mapping[str, int]: ...

    def read(self, name: str) -> bytes: ...

    def header(self, name: str) -> bytes:
        """The JSON header of a safetensors file."""
        ...

    def digest(self, name: str) -> str:
        """What tells that a file is the same one."""
        ...


@dataclass
class Found:
    """What is known of a model after it was looked at."""

    revision: str = ""
    fingerprint: str = ""
    licence: str = ""
    card: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class Folder:
    """A folder on this machine, with what lies below it; hidden files and folders are left out."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise Unusable(f"there is no folder {path} on this machine")
        self.path = path

    def sizes(self) -> dict[str, int]:
        found = {}
        for top, folders, names in os.walk(self.path):
            folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
            for name in sorted(names):
                path = Path(top) / name
                if not name.startswith(".") and path.is_file():
                    found[path.relative_to(self.path).as_posix()] = path.stat().st_size
        return found

    def read(self, name: str) -> bytes:
        with (self.path / name).open("rb") as file:
            return file.read(READ_MOST)

    def header(self, name: str) -> bytes:
        path = self.path / name
        with path.open("rb") as file:
            length = header_length(file.read(8), path.stat().st_size, name)
            return file.read(length)

    def digest(self, name: str) -> str:
        with (self.path / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def header_length(first: bytes, size: int, name: str) -> int:
    """Bytes of the header of a safetensors file, out of its first eight. Raises Unusable when they make no sense."""
    if len(first) == 8:
        (length,) = struct.unpack("<Q", first)
        if 2 <= length <= min(HEADER_MOST, size - 8):
            return int(length)
    raise Unusable(f"{name} is no safetensors file")


def inspect(
    source: Source,
    *,
    kind: str,
    trusted_code: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> Found:
    """Everything that is shown of a model and everything that speaks against it. Raises Unusable in words."""
    sizes = source.sizes()
    refuse_adapter(sizes)
    weights = weights_of(source, sizes)
    config = read_json(source, sizes, "config.json")
    tokenizer = read_json(source, sizes, "tokenizer_config.json", needed=False)
    code = own_code(sizes, config, tokenizer)
    if code and not trusted_code:
        raise Unusable(
            f"it brings its own Python code ({', '.join(code[:5])}), which would run on the workers; "
            "an administrator can allow that by typing the model's name"
        )
    architecture = (config.get("architectures") or [""])[0]
    refuse_unfit(kind, architecture, own=bool(code))
    if not any(name in sizes for name in TOKENIZERS):
        raise Unusable("there is no tokenizer beside the weights")
    report(f"{architecture or 'no architecture named'}, {len(weights)} files of weights")
    tensors = measure(source, sizes, weights)
    front, card = card_of(source, sizes)
    facts = {
        "architecture": architecture,
        "type": config.get("model_type", ""),
        **tensors,
        "max_positions": positions(config, tokenizer),
        "vocabulary": text_config(config).get("vocab_size"),
        "labels": labels_of(config),
        "chat_template": bool(tokenizer.get("chat_template")) or "chat_template.jinja" in sizes,
        "files": len(sizes),
        "bytes": sum(sizes[name] for name in weights),
        "never_read": pickled(sizes)[:20],
        "own_code": code[:20],
    }
    return Found(
        fingerprint=fingerprint(source, sizes, weights, code),
        licence=str(front.get("license") or front.get("license_name") or "")[:100],
        card=card,
        facts={name: value for name, value in facts.items() if value not in (None, "", [], {}, False)},
    )


def pickled(sizes: Iterable[str]) -> list[str]:
    """Files in formats that may run code when they are read."""
    return [name for name in sizes if name.endswith(PICKLED)]


def weights_of(source: Source, sizes: Mapping[str, int]) -> list[str]:
    """The safetensors files that make the model. Raises Unusable naming what lies there instead."""
    if INDEX in sizes:
        listed = read_json(source, sizes, INDEX).get("weight_map")
        names = sorted(set(listed.values())) if isinstance(listed, dict) else []
        if missing := [name for name in names if name not in sizes]:
            raise Unusable(f"weights are missing: {', '.join(missing[:5])}")
        if names:
            return names
    if "model.safetensors" in sizes:
        return ["model.safetensors"]
    if others := pickled(sizes):
        raise Unusable(
            f"its weights are pickled, which can run code when read: {', '.join(others[:5])}; "
            "convert them to safetensors first"
        )
    formats = sorted({Path(name).suffix for name in sizes if sizes[name] > 1_000_000 and Path(name).suffix})
    there = f"; there is {', '.join(formats)}" if formats else ""
    raise Unusable(f"there is no model.safetensors in it{there}")


def refuse_adapter(sizes: Mapping[str, int]) -> None:
    if "adapter_config.json" in sizes and "config.json" not in sizes:
        raise Unusable("it is an adapter without its model: merge it into the base model and save that")


def refuse_unfit(kind: str, architecture: str, *, own: bool) -> None:
    """Raises Unusable if a model of this architecture cannot do the work of the kind; own code is taken on trust."""
    endings = FITTING.get(kind)
    if endings is None or own or architecture.endswith(endings):
        return
    wanted = WANTED.get(endings[0], endings[0])
    raise Unusable(f"a model of kind {kind} must be {wanted}; this is {architecture or 'of no named architecture'}")


def own_code(sizes: Iterable[str], config: Mapping[str, Any], tokenizer: Mapping[str, Any]) -> list[str]:
    """What of a model would run as Python: files, and classes that its configurations name.

    Of an architecture that is Touchstone's own the files beside the weights are for others: none of them runs here.
    """
    if config.get("model_type") in OURS:
        sizes, config = (), {}
    named = [
        str(value[0] if isinstance(value, list) else value)
        for config in (config, tokenizer)
        for value in dict(config.get("auto_map") or {}).values()
        if value
    ]
    return [*(name for name in sizes if name.endswith(".py")), *named]


def read_json(source: Source, sizes: Mapping[str, int], name: str, *, needed: bool = True) -> dict[str, Any]:
    if name not in sizes:
        if needed:
            raise Unusable(f"there is no {name} in it")
        return {}
    try:
        found = json.loads(source.read(name))
    except ValueError:
        raise Unusable(f"{name} is not readable as JSON") from None
    if not isinstance(found, dict):
        raise Unusable(f"{name} holds no object")
    return found


def measure(source: Source, sizes: Mapping[str, int], weights: list[str]) -> dict[str, Any]:
    """Parameters and number formats out of the headers. Raises Unusable where a file is cut short."""
    count: dict[str, int] = {}
    for name in weights:
        raw = source.header(name)
        try:
            header = json.loads(raw)
            tensors = [value for key, value in header.items() if key != "__metadata__"]
            end = max((tensor["data_offsets"][1] for tensor in tensors), default=0)
            for tensor in tensors:
                count[tensor["dtype"]] = count.get(tensor["dtype"], 0) + math.prod(tensor["shape"])
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise Unusable(f"{name} has no readable header") from None
        if 8 + len(raw) + end != sizes[name]:
            raise Unusable(f"{name} is not complete: {sizes[name]} bytes of {8 + len(raw) + end}")
    return {"parameters": sum(count.values()), "stored_as": dict(sorted(count.items()))}


def text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part that speaks of the language model, of models that also see."""
    inner = config.get("text_config")
    return inner if isinstance(inner, dict) else config


def positions(config: Mapping[str, Any], tokenizer: Mapping[str, Any]) -> int | None:
    """The longest input it was made for, in tokens, where that is known."""
    told = [text_config(config).get(name) for name in ("max_position_embeddings", "n_positions", "max_seq_len")]
    told.append(tokenizer.get("model_max_length"))
    known = [value for value in told if isinstance(value, int) and 0 < value < 10**9]
    return min(known) if known else None


def labels_of(config: Mapping[str, Any]) -> list[str]:
    """Names of the classes, in their order."""
    named = config.get("id2label")
    if not isinstance(named, dict):
        return []
    try:
        return [str(named[key]) for key in sorted(named, key=int)]
    except ValueError:
        return [str(value) for value in named.values()]


def card_of(source: Source, sizes: Mapping[str, int]) -> tuple[dict[str, Any], str]:
    """The front matter of the README and its Markdown; both empty where there is none."""
    if "README.md" not in sizes:
        return {}, ""
    text = source.read("README.md").decode("utf-8", errors="replace").replace("\0", "")
    if not text.startswith("---"):
        return {}, text[:CARD_MOST]
    _, front, *rest = text.split("---", 2)
    try:
        told = yaml.safe_load(front)
    except yaml.YAMLError:
        told = None
    return (told if isinstance(told, dict) else {}), (rest[0].lstrip() if rest else "")[:CARD_MOST]


def fingerprint(source: Source, sizes: Mapping[str, int], weights: list[str], code: list[str]) -> str:
    """SHA-256 over the name and digest of each file that decides what the model says."""
    deciding = {*weights, *(name for name in sizes if name.endswith((".json", ".jinja", ".model", ".txt", ".py")))}
    lines = [f"{name} {source.digest(name)}\n" for name in sorted(deciding)]
    return sha256("".join(lines))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
