"""Model families: whether what one family wrote is chosen over what others wrote."""

from __future__ import annotations

from workers.bias.rows import Chosen, Seen, Seens

KNOWN = (
    "gpt", "claude", "llama", "qwen", "mixtral", "mistral", "gemini", "gemma", "deepseek", "phi", "vicuna", "alpaca",
    "pythia", "bloom", "falcon", "command", "yi-", "olmo", "wizardlm", "koala", "dolly", "oasst", "palm", "opt-", "t5",
)  # fmt: skip
"""Names that are a family wherever they stand in a model's name; the first that is found counts."""


def family_of(model: str) -> str:
    """The family of a model by its name, as the imports gave it; its whole name where no family is known."""
    name = model.rsplit("/", 1)[-1].casefold()
    return next((one.rstrip("-") for one in KNOWN if one in name), model)


def family(pair: Chosen) -> Seens:
    """Both families where two models of different ones are named."""
    if not pair.chosen_model or not pair.rejected_model:
        return
    chosen, rejected = family_of(pair.chosen_model), family_of(pair.rejected_model)
    if chosen != rejected:
        yield Seen(chosen, True, False)
        yield Seen(rejected, False, True)
