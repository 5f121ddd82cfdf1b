"""Models made on the spot: folders of the right shape with a handful of weights, and what they must be refused for."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

CONFIG = {"model_type": "bert", "max_position_embeddings": 128, "vocab_size": 30, "hidden_size": 4}
CARD = "---\nlicense: mit\ntags: [reward]\n---\n# A tiny model\n\n<script>alert(1)</script> Made in a test.\n"


def safetensors(**tensors: tuple[int, ...]) -> bytes:
    """A safetensors file of zeros, by names and shapes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in tensors.items():
        size = 4
        for side in shape:
            size *= side
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + bytes(at)


def files(architecture: str = "BertForSequenceClassification", **config: Any) -> dict[str, bytes]:
    """The files of a model: 6 parameters, one output, a tokenizer in name, a card."""
    told = {**CONFIG, "architectures": [architecture], "id2label": {"0": "reward"}, **config}
    return {
        "config.json": json.dumps(told).encode(),
        "model.safetensors": safetensors(weight=(2, 2), bias=(2,)),
        "tokenizer.json": b"{}",
        "README.md": CARD.encode(),
    }


def laid(folder: Path, given: dict[str, bytes]) -> str:
    """The files in a folder; its reference."""
    for name, data in given.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return f"hf:{folder}"
