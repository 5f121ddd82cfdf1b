"""From a prompt and its responses to tokens, for the two formats `chat` and `plain` (docs/scoring.md).

Imports no torch. Tokens are those that the tokenizer gives for the whole conversation: nothing is tokenised in
parts that would not be parts in training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workers.judging import Candidate, Given, Unusable
from workers.nn.packing import Text

TURN = "\n\n"
SPEAKERS = {"user": "Human", "assistant": "Assistant", "system": "System", "tool": "Tool"}
FORMATS = ("chat", "plain")
OUTSIDE = (-1, -1)

Messages = Sequence[Mapping[str, Any]]


def plain(messages: Messages) -> str:
    """A prompt as plain text: an only message as it is; several as `Human: …` turns, a blank line apart."""
    if len(messages) == 1:
        return words(messages[0])
    return TURN.join(f"{SPEAKERS.get(m.get('role', ''), m.get('role', ''))}: {words(m)}" for m in messages)


def documented(prompt: Messages, documents: Sequence[str]) -> Messages:
    """A prompt with documents before its last message, a blank line apart; they are the first to be cut."""
    if not documents or not prompt:
        return prompt
    *before, last = prompt
    return [*before, {**last, "content": TURN.join([*documents, words(last)])}]


def words(message: Mapping[str, Any]) -> str:
    """The text of a message, whose content may be a list of parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return TURN.join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))


def continuation(candidate: Candidate) -> Messages:
    return candidate.messages or [{"role": "assistant", "content": candidate.text}]


def conversation(given: Given, candidate: Candidate) -> list[dict[str, Any]]:
    """All messages, their contents as text."""
    return [{**m, "content": words(m)} for m in [*given.prompt, *continuation(candidate)]]


@dataclass(frozen=True, slots=True)
class Tokenising:
    """How a model's texts become tokens. `places`: whether to say where each token stands in the response."""

    tokenizer: Any
    max_length: int
    template: str
    pairs: bool
    """Encoders read prompt and response as a pair of segments; others as one text."""
    places: bool = False

    def texts(self, item: int, given: Given) -> list[Text]:
        """One text a candidate; of an item without candidates its prompt alone."""
        if not given.candidates:
            return [self.prompt_alone(item, given)]
        if self.template == "chat":
            return [self.chat(item, given, candidate) for candidate in given.candidates]
        if self.pairs:
            return self.paired(item, given)
        return [self.joined(item, given, candidate) for candidate in given.candidates]

    def prompt_alone(self, item: int, given: Given) -> Text:
        """The prompt without a response; too long for an encoder, it loses its end, as embedders are trained."""
        if not self.pairs:
            return self.cut(given.key, item, self.encode(plain(given.prompt)))
        backend = self.tokenizer.backend_tokenizer
        prompt = self.encode(plain(given.prompt), special=False)
        room = self.max_length - backend.num_special_tokens_to_add(False)
        truncated = len(prompt) > room
        if truncated:
            prompt.truncate(room)
        whole = backend.post_process(prompt, None, True)
        return Text(given.key, item, whole.ids, self.types(whole), truncated)

    def encode(self, text: str, special: bool = True) -> Any:
        return self.tokenizer.backend_tokenizer.encode(text, add_special_tokens=special)

    def chat(self, item: int, given: Given, candidate: Candidate) -> Text:
        """By the model's chat template, as `apply_chat_template` tokenises it; a doubled BOS is single again."""
        text = self.tokenizer.apply_chat_template(conversation(given, candidate), tokenize=False)
        encoding = self.encode(text, special=False)
        skip = 1 if doubled(encoding.ids, self.tokenizer.bos_token_id) else 0
        return self.cut(candidate.key, item, encoding, skip, self.located(text, candidate))

    def joined(self, item: int, given: Given, candidate: Candidate) -> Text:
        """Plain text of a causal model: prompt, blank line, response, end of text."""
        prompt = plain(given.prompt)
        text = f"{prompt}{TURN}{candidate.text}" if prompt else candidate.text
        encoding = self.encode(text)
        found = self.cut(candidate.key, item, encoding, 0, (len(text) - len(candidate.text), len(text)))
        end = self.tokenizer.eos_token_id
        if end is not None and (not found.ids or found.ids[-1] != end):
            found.ids = [*found.ids, end]
            if found.offsets is not None:
                found.offsets = [*found.offsets, OUTSIDE]
            trim(found, self.max_length, self.tokenizer.bos_token_id)
        return found

    def paired(self, item: int, given: Given) -> list[Text]:
        """Plain text of an encoder: (prompt, response) as the tokenizer joins a pair.

        Too long: the prompt loses its beginning, and if that is not enough the response its end.
        """
        backend = self.tokenizer.backend_tokenizer
        prompt = self.encode(plain(given.prompt), special=False)
        added = backend.num_special_tokens_to_add(True)
        return [self.pair(item, given, prompt, candidate, added) for candidate in given.candidates]

    def pair(self, item: int, given: Given, prompt: Any, candidate: Candidate, added: int) -> Text:
        response = self.encode(candidate.text, special=False)
        room = self.max_length - added
        truncated = len(prompt) + len(response) > room
        if truncated:
            prompt = self.encode(plain(given.prompt), special=False)
            response.truncate(room)
            prompt.truncate(max(room - len(response), 0), direction="left")
        whole = self.tokenizer.backend_tokenizer.post_process(prompt, response, True)
        offsets = None
        if self.places:
            offsets = [
                place if sequence == 1 else OUTSIDE
                for place, sequence in zip(whole.offsets, whole.sequence_ids, strict=True)
            ]
        return Text(candidate.key, item, whole.ids, self.types(whole), truncated, offsets)

    def types(self, encoding: Any) -> list[int] | None:
        """Token types, of tokenizers that give them to their models; the others' models see zeros."""
        named = "token_type_ids" in self.tokenizer.model_input_names
        return list(encoding.type_ids) if named else None

    def located(self, text: str, candidate: Candidate) -> tuple[int, int]:
        """Where the response stands in the rendered conversation; nowhere if the template changes it."""
        start = text.rfind(candidate.text) if self.places and candidate.text else -1
        if start < 0:
            stripped = candidate.text.strip()
            start = text.rfind(stripped) if self.places and stripped else -1
            if start >= 0:
                start -= len(candidate.text) - len(candidate.text.lstrip())
        return (start, start + len(candidate.text)) if start >= 0 else OUTSIDE

    def cut(self, key: int, item: int, encoding: Any, skip: int = 0, response: tuple[int, int] = OUTSIDE) -> Text:
        """One text; too long, it loses its beginning, a BOS excepted."""
        offsets = None
        if self.places:
            offsets = [inside(place, response) for place in encoding.offsets[skip:]]
        found = Text(key, item, encoding.ids[skip:], None, False, offsets)
        trim(found, self.max_length, self.tokenizer.bos_token_id)
        return found


def trim(text: Text, length: int, bos: int | None) -> None:
    """Keep the last `length` tokens, and the BOS before them if there is one."""
    over = len(text.ids) - length
    if over <= 0:
        return
    kept = 1 if text.ids[0] == bos else 0
    text.ids = text.ids[:kept] + text.ids[kept + over :]
    if text.types is not None:
        text.types = text.types[:kept] + text.types[kept + over :]
    if text.offsets is not None:
        text.offsets = text.offsets[:kept] + text.offsets[kept + over :]
    text.truncated = True


def doubled(ids: Sequence[int], bos: int | None) -> bool:
    return bos is not None and len(ids) > 1 and ids[0] == bos and ids[1] == bos


def inside(place: tuple[int, int], response: tuple[int, int]) -> tuple[int, int]:
    """A place in the rendered text as one in the response; OUTSIDE if it is not in it."""
    start, end = response
    if start < 0 or place[1] <= start or place[0] >= end or place[0] == place[1]:
        return OUTSIDE
    return max(place[0] - start, 0), min(place[1], end) - start


def template_of(told: str, tokenizer: Any, causal: bool) -> str:
    """`chat` or `plain`: what the version says, else chat where a causal model has a template."""
    has = bool(getattr(tokenizer, "chat_template", None))
    if told and told not in FORMATS:
        raise Unusable(f"no format {told!r}; there is: {', '.join(FORMATS)}")
    if told == "chat" and not has:
        raise Unusable("it has no chat template; say template: plain")
    return told or ("chat" if has and causal else "plain")
