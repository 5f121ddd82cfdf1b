"""What the questions of another tool become: axes of a pair, verdicts, types of critiques, a ranking, a rationale."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from workers.switching.preferring import BOTH_BAD, centred, keys_of, preferences, tokens, which

LONGEST_NAME, LONGEST_WORDS, LONGEST_GUIDELINES = 60, 300, 50_000
MOST_LABELS, MOST_QUESTIONS, MOST_AXES = 60, 20, 8
TAKEN = ("critique", "skip", "answered")
"""Names that no question may have."""
YES = {"yes": True, "no": False, "true": True, "false": False}
REASONS = frozenset(
    {
        "rationale",
        "reason",
        "reasons",
        "reasoning",
        "why",
        "explanation",
        "justification",
        "comment",
        "comments",
        "notes",
    }
)
SIDE = re.compile(
    r"(the )?((first|second|third|left|right) )?\b(response|answer|completion|output|model|option)"
    r"([-_ ]?([a-d]|\d+|first|second|left|right))?\b(?!\w)",
    re.IGNORECASE,
)
OVERALL = {"name": "overall", "question": "Which response is better?"}


@dataclass(frozen=True, slots=True)
class Option:
    value: Any
    words: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the tool. `kind`: label, labels, rating, ranking, spans or text; `on`: the fields that it is about,
    where the tool says so."""

    name: str
    kind: str
    title: str = ""
    about: str = ""
    options: tuple[Option, ...] = ()
    required: bool = True
    on: tuple[str, ...] = ()

    @property
    def values(self) -> list[Any]:
        return [option.value for option in self.options]


@dataclass(frozen=True, slots=True)
class Use:
    """What becomes of one question: axis, best (of several), ranks, verdict, spans, rationale, or nothing and `why`.

    `response` is the place of the response that it is about, `values` what each option is here.
    """

    question: Question
    becomes: str
    name: str = ""
    response: int | None = None
    values: Mapping[Any, Any] = field(default_factory=dict)
    why: str = ""

    def __str__(self) -> str:
        about = "" if self.response is None else f" of response {self.response + 1}"
        match self.becomes:
            case "axis":
                return f"the axis {self.name}"
            case "best":
                return f"the axis {self.name}: the best against each other response"
            case "verdict":
                return f"the question {self.name}{about}"
            case "spans":
                return f"types of critiques{about}"
            case "ranks":
                return "the ranking"
            case "rationale":
                return "the rationale"
        return f"nothing: {self.why}"


def uses_of(questions: Sequence[Question], responses: Sequence[str], *, listed: bool = False) -> list[Use]:
    """What becomes of each question; `listed`: the responses are a list, whose length differs from record to record."""
    several = listed or len(responses) > 1
    uses = [use_of(question, responses, several, listed) for question in questions]
    if not several:
        uses = with_rationale(uses)
    return limited(named_alike(uses, responses))


def use_of(question: Question, responses: Sequence[str], several: bool, listed: bool) -> Use:
    options = [(option.value, option.words) for option in question.options]
    if question.kind == "spans":
        return spans_of(question, responses, several)
    if question.kind == "ranking":
        return ranks_of(question, responses, listed)
    if several and not listed and question.kind in ("label", "rating"):
        prefers = preferences(options, responses) if len(responses) == 2 else {}
        if question.kind == "rating" and len(responses) == 2 and which(question.name, responses) is None:
            prefers = centred(f"{question.name} {question.title}", question.values)
        if prefers:
            return Use(question, "axis", axis_name(question.name), None, prefers)
        best = {option.value: best_of(option, responses) for option in question.options}
        if question.kind == "label" and sorted(n for n in best.values() if n is not None) == list(
            range(len(responses))
        ):
            return Use(question, "best", axis_name(question.name), None, best)
    if not several:
        return verdict_of(question, 0, question.name)
    place, base = about(question, responses)
    if place is not None:
        return verdict_of(question, place, base)
    if question.kind == "text":
        return Use(question, "rationale")
    return Use(question, "nothing", why="it is about the whole record, not about one response")


def best_of(option: Option, responses: Sequence[str]) -> int | None:
    place = which(str(option.value), responses)
    return which(option.words, responses) if place is None and option.words else place


def spans_of(question: Question, responses: Sequence[str], several: bool) -> Use:
    here = [n for n, name in enumerate(responses) if name in question.on]
    if not here and (several or question.on):
        return Use(question, "nothing", why="it marks a text that is no response")
    return Use(question, "spans", question.name, here[0] if here else 0)


def ranks_of(question: Question, responses: Sequence[str], listed: bool) -> Use:
    if listed:
        return Use(question, "ranks", axis_name(question.name))
    places = {option.value: best_of(option, responses) for option in question.options}
    if len(responses) > 1 and sorted(n for n in places.values() if n is not None) == list(range(len(responses))):
        return Use(question, "ranks", axis_name(question.name), None, places)
    if len(responses) > 1 and len(question.options) == len(responses):
        return Use(question, "ranks", axis_name(question.name), None, {v: n for n, v in enumerate(question.values)})
    return Use(question, "nothing", why="its options are not the responses")


def about(question: Question, responses: Sequence[str]) -> tuple[int | None, str]:
    """The response that a question is about, and its name without it: rating_a is rating, of the first."""
    words = tokens(question.name)
    said = [n for n, name in enumerate(responses) if name in question.on]
    places = said if len(said) == 1 else list(range(len(responses)))
    for n in places:
        full = tokens(responses[n])
        for at in range(len(words) - len(full) + 1):
            if words[at : at + len(full)] == full:
                return n, "_".join(words[:at] + words[at + len(full) :]) or question.kind
    keys = keys_of(responses)
    for word, rest in ((words[-1], words[:-1]), (words[0], words[1:])) if len(words) > 1 else ():
        if keys.get(word) in places:
            return keys[word], "_".join(one for one in rest if one not in ("response", "answer")) or question.kind
    return (said[0], question.name) if len(said) == 1 else (None, question.name)


def verdict_of(question: Question, response: int, base: str) -> Use:
    """A question about one response; a choice of yes and no is one of true and false."""
    values: dict[Any, Any] = {}
    if question.kind in ("label", "labels"):
        words = {option.value: str(option.value).strip().lower() for option in question.options}
        if question.kind == "label" and sorted(words.values()) in (["no", "yes"], ["false", "true"]):
            values = {value: YES[word] for value, word in words.items()}
        else:
            values = names_for(question.values)
    return Use(question, "verdict", base, response, values)


def with_rationale(uses: list[Use]) -> list[Use]:
    """The first question for reasons in words is the rationale of the answer."""
    for n, use in enumerate(uses):
        if use.becomes == "verdict" and use.question.kind == "text" and REASONS & set(tokens(use.question.name)):
            return [*uses[:n], Use(use.question, "rationale", response=0), *uses[n + 1 :]]
    return uses


def named_alike(uses: list[Use], responses: Sequence[str]) -> list[Use]:
    """Questions that differ only in the response they are about are one question; others keep their own name."""
    alike: dict[str, list[Use]] = {}
    for use in uses:
        if use.becomes == "verdict":
            alike.setdefault(use.name, []).append(use)
    for group in alike.values():
        shapes = {(use.question.kind, tuple(map(str, use.question.values))) for use in group}
        places = {use.response for use in group}
        if len(shapes) > 1 or len(places) < len(group) or (len(group) == 1 and len(responses) > 1):
            for use in group:
                uses[uses.index(use)] = replace(use, name=use.question.name)
    names = names_for([use.name for use in uses if use.becomes == "verdict"])
    return [replace(use, name=names[use.name]) if use.becomes == "verdict" else use for use in uses]


def limited(uses: list[Use]) -> list[Use]:
    """No more axes and questions than a protocol may have, each axis with its own name, one ranking."""
    axes: set[str] = set()
    asked: dict[str, None] = {}
    ranked = False
    found = []
    for use in uses:
        if use.becomes in ("axis", "best") or (use.becomes == "ranks" and ranked):
            name = next(n for n in (use.name, *(f"{use.name[:37]}-{i}" for i in range(2, 99))) if n not in axes)
            if len(axes) == MOST_AXES:
                use = Use(use.question, "nothing", why=f"a protocol has at most {MOST_AXES} axes")
            else:
                axes.add(name)
                use = replace(use, name=name)
        elif use.becomes == "verdict":
            asked[use.name] = None
            if list(asked).index(use.name) >= MOST_QUESTIONS:
                use = Use(use.question, "nothing", why=f"a protocol has at most {MOST_QUESTIONS} questions")
        ranked = ranked or use.becomes == "ranks"
        found.append(use)
    return found


def kind_of(uses: Sequence[Use]) -> str:
    """What one task is: a pair where something compares two, a ranking where something orders them, or a response."""
    becomes = {use.becomes for use in uses}
    return "preference" if becomes & {"axis", "best"} else "ranking" if "ranks" in becomes else "response"


def protocol_of(uses: Sequence[Use], guidelines: str, marks: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The fields of a protocol that differ from a new one's. `marks`: more of critiques, such as severities."""
    kind = kind_of(uses)
    meanings = [said for use in uses if use.becomes == "axis" for said in use.values.values()]
    strengths = [abs(said) for said in meanings if isinstance(said, int)]
    reasons = [use for use in uses if use.becomes == "rationale"]
    types = types_of(uses)
    questions = questions_of(uses)
    spans = bool(types) or any(use.becomes == "spans" for use in uses)
    nothing = not spans and not questions and kind == "response"
    protocol: dict[str, Any] = {
        "guidelines": told(uses, guidelines),
        "axes": axes_of(uses, kind),
        "strengths": max([1, *strengths]),
        "allow_tie": 0 in meanings or any(use.becomes == "ranks" for use in uses),
        "allow_both_bad": BOTH_BAD in meanings,
        "rationale": "optional" if reasons or nothing else "off",
        "unit": "span" if spans else "response",
        "critiques": {"on": spans, "types": types, "comment": "optional" if spans else "off", **(marks or {})},
        "questions": questions,
    }
    if any(use.question.required for use in reasons):
        protocol["rationale"] = "required"
    return protocol


def axes_of(uses: Sequence[Use], kind: str) -> list[dict[str, str]]:
    wanted = ("axis", "best", "ranks") if kind != "response" else ()
    axes = [
        {"name": use.name, "question": words_of(use.question) or OVERALL["question"]}
        for use in uses
        if use.becomes in wanted
    ]
    return axes[:MOST_AXES] or [dict(OVERALL)]


def types_of(uses: Iterable[Use]) -> list[dict[str, str]]:
    names: dict[str, str] = {}
    for use in uses:
        if use.becomes == "spans":
            clean = names_for(use.question.values)
            names |= {clean[option.value]: option.words for option in use.question.options}
    return [label(name, words) for name, words in names.items()][:MOST_LABELS]


def questions_of(uses: Iterable[Use]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for use in uses:
        if use.becomes != "verdict":
            continue
        asked = asked_of(use)
        if before := found.get(use.name):
            asked["required"] = asked["required"] and before["required"]
            asked["question"] = one_for_all(before["question"], asked["question"], use.name)
        found[use.name] = asked
    return list(found.values())


def one_for_all(first: str, second: str, name: str) -> str:
    """The words of a question that was asked of each response apart."""
    if first == second:
        return first
    alike = {SIDE.sub("this response", words) for words in (first, second)}
    return alike.pop() if len(alike) == 1 else name.replace("_", " ").capitalize()


def asked_of(use: Use) -> dict[str, Any]:
    """A question as a protocol has it."""
    question = use.question
    asked: dict[str, Any] = {
        "name": use.name,
        "question": (words_of(question) or use.name)[:LONGEST_WORDS],
        "kind": "text",
        "required": question.required,
    }
    if question.kind == "rating":
        numbers = [value for value in question.values if isinstance(value, int)] or [1, 5]
        return asked | {"kind": "rating", "low": min(numbers), "high": max(numbers)}
    if question.kind in ("label", "labels") and question.options and len(question.options) <= MOST_LABELS:
        if set(map(type, use.values.values())) == {bool}:
            return asked | {"kind": "yesno"}
        options = [label(use.values[option.value], option.words) for option in question.options]
        return asked | {"kind": "choice" if question.kind == "label" else "choices", "options": options}
    return asked


def label(name: str, words: str) -> dict[str, str]:
    return {"name": name, "label": "" if words == name else plain(words)[:LONGEST_WORDS]}


def words_of(question: Question) -> str:
    return plain(question.title or question.name)[:LONGEST_WORDS]


def told(uses: Iterable[Use], guidelines: str) -> str:
    """The guidelines, with what is said of single questions below."""
    parts = [guidelines.strip()]
    parts += [
        f"## {words_of(use.question)}\n\n{use.question.about.strip()}" for use in uses if use.question.about.strip()
    ]
    return "\n\n".join(part for part in parts if part).replace("\0", "")[:LONGEST_GUIDELINES]


def axis_name(name: str) -> str:
    return re.sub(r"[^-a-zA-Z0-9_]+", "-", name).strip("-")[:40] or "preference"


def plain(words: str) -> str:
    """Words on one line, without what no label may hold."""
    return " ".join("".join(sign if sign >= " " else " " for sign in words).split())


def clean(name: Any) -> str:
    """A name as labels and questions may have it: on one line, without |, of up to 60 characters."""
    text = plain(str(name).replace("|", "/"))[:LONGEST_NAME].strip()
    return f"{text}_" if text in TAKEN else text or "unnamed"


def names_for(given: Iterable[Any]) -> dict[Any, str]:
    """A clean name for each value, no two alike."""
    found: dict[Any, str] = {}
    for value in dict.fromkeys(given):
        name, n = clean(value), 1
        while name in found.values():
            n += 1
            name = f"{clean(value)[: LONGEST_NAME - 4]} {n}"
        found[value] = name
    return found
