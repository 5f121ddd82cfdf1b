"""From a model version to weights in memory: safetensors only, no code of the model's own unless it is trusted."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, AutoTokenizer

from workers import references, weights
from workers.judging import OutOfMemory, Spec, Unusable
from workers.nn import attention, mix_ln  # noqa: F401 (an architecture that transformers does not have)
from workers.nn.families import Family, family_of, stretched

TASKS = {
    "score": "AutoModelForSequenceClassification",
    "token": "AutoModelForTokenClassification",
    "embed": "AutoModel",
    "language": "AutoModelForCausalLM",
}
"""What a model is loaded for, and the class that loads it."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
FETCHED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
HEADLESS = {
    "score": "it has no reward head ({missing} is not among its weights): train one on it, or use it as an embedder",
    "token": "it has no head that scores tokens ({missing} is not among its weights)",
    "language": "it has no language model head ({missing} is not among its weights)",
}
LONGEST = 1_000_000
"""A tokenizer that names no limit names an absurd one."""


@dataclass(slots=True, eq=False)
class Loaded:
    """A model ready to run, and what is known of it."""

    model: Any
    tokenizer: Any
    device: torch.device
    dtype: torch.dtype
    max_length: int
    family: Family | None
    """None: packing is not proven equal for it, it runs in padded batches."""

    @property
    def alone(self) -> bool:
        """Whether each sequence must run by itself, because its numbers depend on the batch."""
        return bool(stretched(self.model.config))


def load(spec: Spec, task: str = "score") -> Loaded:
    """The model and the tokenizer of a version. Raises Unusable in words for a person, OutOfMemory if it is too large.

    `task` is a key of TASKS. Weights are cast once, on loading.
    """
    threads()
    folder = folder_of(spec)
    looked_at(folder, spec)
    place = device()
    dtype = dtype_of(spec.config.get("dtype", "auto"), place)
    config = configured(folder, spec)
    family = family_of(config) if place.type in ("cpu", "cuda") else None
    model = weights_in(folder, spec, task, config, dtype)
    tokenizer = tokenizer_in(folder, spec)
    if family is not None:
        attention.register()
        model.set_attn_implementation(attention.NAME)
    try:
        model.to(place)
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(f"the weights do not fit on {place}") from error
    model.eval()
    model.requires_grad_(False)
    return Loaded(model, tokenizer, place, dtype, max_length(spec, config, tokenizer, family), family)


def threads() -> None:
    """Threads of torch, only where it is told how many."""
    if told := os.environ.get("TOUCHSTONE_TORCH_THREADS"):
        torch.set_num_threads(max(1, int(told)))


def device() -> torch.device:
    """The first graphics card where there is one; TOUCHSTONE_DEVICE says otherwise."""
    told = os.environ.get("TOUCHSTONE_DEVICE", "")
    if told:
        return torch.device(told)
    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


def dtype_of(told: str, place: torch.device) -> torch.dtype:
    """bf16 where the hardware multiplies it, else fp32; never fp16. Raises Unusable for another word."""
    if told == "auto":
        return torch.bfloat16 if fast_bf16(place) else torch.float32
    if told not in DTYPES:
        raise Unusable(f"no number format {told!r}; there is: auto, {', '.join(sorted(DTYPES))}")
    return DTYPES[told]


def fast_bf16(place: torch.device) -> bool:
    if place.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if place.type != "cpu":
        return False
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def folder_of(spec: Spec) -> Path:
    """Where the weights lie on this machine; fetched from the Hub at the pinned revision if need be."""
    try:
        reference = references.parse(spec.reference)
    except ValueError as error:
        raise Unusable(f"{spec.reference}: {error}") from None
    if reference.scheme == "builtin":
        return references.builtin_folder(reference.place)
    if reference.scheme == "run":
        if not spec.folder:
            raise Unusable("the run that trained it left no folder on this machine")
        return Path(spec.folder)
    if reference.scheme != "hf":
        raise Unusable(f"{spec.reference} names no weights")
    if reference.local:
        return Path(reference.place)
    return fetched(reference.place, spec.revision or reference.extra, spec.trusted_code)


def fetched(name: str, revision: str, trusted: bool) -> Path:
    """A repository of the Hub in this machine's cache: never its pickles, its code only if trusted."""
    from huggingface_hub import errors, snapshot_download

    wanted = [*FETCHED, "*.py"] if trusted else FETCHED
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=wanted))
    except errors.GatedRepoError:
        raise Unusable(f"{name} is gated: accept its terms and set HF_TOKEN for the workers") from None
    except errors.RevisionNotFoundError:
        raise Unusable(f"{name} has no revision {revision}") from None
    except errors.RepositoryNotFoundError:
        raise Unusable(f"there is no {name} on the Hub, or it is private") from None
    except Exception as error:  # huggingface_hub lets errors of several HTTP libraries through
        raise Unusable(
            f"{name} is not in this machine's cache and the Hub cannot be reached ({type(error).__name__}); "
            "without a network, name a folder: hf:/path/of/the/model"
        ) from error


def looked_at(folder: Path, spec: Spec) -> None:
    """Raises Unusable for pickled or missing weights and for code of its own that nobody allowed."""
    source = weights.Folder(folder)
    sizes = source.sizes()
    weights.refuse_adapter(sizes)
    weights.weights_of(source, sizes)
    config = weights.read_json(source, sizes, "config.json")
    tokenizer = weights.read_json(source, sizes, "tokenizer_config.json", needed=False)
    code = weights.own_code((), config, tokenizer)
    if code and not spec.trusted_code:
        raise Unusable(
            f"it brings its own Python code ({', '.join(code[:5])}), which would run on the workers; "
            "an administrator can allow that by typing the model's name"
        )


def configured(folder: Path, spec: Spec) -> Any:
    with quiet():
        try:
            return AutoConfig.from_pretrained(folder, trust_remote_code=spec.trusted_code, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise Unusable(f"its configuration is not understood: {first_line(error)}") from error


def weights_in(folder: Path, spec: Spec, task: str, config: Any, dtype: torch.dtype) -> Any:
    """The model, with every weight of its head read from the file."""
    loader = getattr(transformers, TASKS[task])
    with quiet():
        try:
            model, told = loader.from_pretrained(
                folder,
                config=config,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=spec.trusted_code,
                local_files_only=True,
                output_loading_info=True,
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise Unusable(f"it cannot be loaded: {first_line(error)}") from error
    if task in HEADLESS and (missing := sorted(told["missing_keys"])):
        raise Unusable(HEADLESS[task].format(missing=", ".join(missing[:3])))
    return model


def tokenizer_in(folder: Path, spec: Spec) -> Any:
    """The tokenizer; a fast one, since the engine tokenises in threads and needs places in the text."""
    with quiet():
        try:
            tokenizer = AutoTokenizer.from_pretrained(
                folder, trust_remote_code=spec.trusted_code, local_files_only=True, use_fast=True
            )
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise Unusable(f"its tokenizer cannot be loaded: {first_line(error)}") from error
    if not getattr(tokenizer, "is_fast", False):
        raise Unusable("its tokenizer has no fast form (tokenizer.json)")
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer


def max_length(spec: Spec, config: Any, tokenizer: Any, family: Family | None) -> int:
    """Tokens that the model takes: what its version says, at most its positions and its tokenizer's limit."""
    text = config.get_text_config()
    positions = getattr(text, "max_position_embeddings", None) or LONGEST
    if family is not None and family.after_padding:
        positions -= (text.pad_token_id or 0) + 1
    told = [spec.config.get("max_length"), positions, tokenizer.model_max_length]
    return int(min(value for value in told if value and value <= LONGEST))


@contextmanager
def quiet() -> Iterator[None]:
    """Without the bars and reports that transformers writes on loading."""
    from transformers.utils import logging as told

    level, bars = told.get_verbosity(), told.is_progress_bar_enabled()
    told.set_verbosity(logging.ERROR)
    told.disable_progress_bar()
    try:
        yield
    finally:
        told.set_verbosity(level)
        if bars:
            told.enable_progress_bar()


def first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
