"""OpenRLHF's preprocessing of preference data, as its RewardDataset documents it.

With a prompt key and a chat template it renders the prompt with its generation prompt, then prompt and response
together, and takes what is behind the length of the first as the response: so the first must be a beginning of the
second. The package itself needs GPUs and is not asked.
"""

from __future__ import annotations

from typing import Any

from workers.consumers import Consumer, Files, Refused, consumers


def rendered(messages: list[dict[str, Any]], *, ask: bool = False) -> str:
    """A chat template as many models have it; `ask` adds what asks the model to speak."""
    said = "".join(f"<|{message['role']}|>\n{message['content']}<|end|>\n" for message in messages)
    return said + ("<|assistant|>\n" if ask else "")


def read(files: Files) -> str:
    rows = files.sample()
    for number, row in enumerate(rows):
        prompt = rendered(row["prompt"], ask=True)
        for column in ("chosen", "rejected"):
            whole = rendered(row["prompt"] + row[column])
            if not whole.startswith(prompt) or not whole[len(prompt) :].strip():
                raise Refused("prompt and response do not concatenate", row=number, column=column)
    return f"prompt and responses of {len(rows)} rows concatenate under a chat template"


consumers.add(Consumer(name="openrlhf", package="", read=read))
