"""Which texts overlap with texts that must stay unseen: those of a benchmark, or of an evaluation split.

In this order, and the first that holds is told:

    exact        the same words
    n-gram       a run of 13 words in common, as Skywork-Reward-V2 is cleaned (arXiv 2507.01352); another length on wish
    containment  the share of a protected text's 5-grams that the other has, against each protected text alone
    minhash      Jaccard of runs of characters, estimated by 128 permutations (Broder 1997)
    embedding    the cosine of vectors, where some are given

A run of words is told of in many protected texts where it is their template: a 5-gram in more than COMMON of them says
nothing. Any 13-gram misses a text of which every seventh word was replaced, containment does not (docs/curation.md has
figures). Memory grows with the words of the protected texts (about 150 bytes a word), not with what is checked.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from workers.clustering import PERMUTATIONS, banded, signatures

UNSPACED = "぀-ヿ㐀-䶿一-鿿豈-﫿"
WORDS = re.compile(rf"[{UNSPACED}]|\d+|[^\W\d_{UNSPACED}]+")
"""Words, numbers, and single characters of languages that are written without spaces."""
OWN = "own"
"""What the names of a project's own evaluation splits begin with."""
RUN = 5
COMMON = 50
FEWEST_SHARED = 5
"""Runs in common without which containment says nothing: short prompts begin alike."""
SURELY = 3
"""Runs in common from which a text is looked at."""
LOOKED_AT = 10
"""So many protected texts are looked at for one text, those with the most runs in common."""
SHOWN = 300


class Ways(BaseModel):
    """By what overlap is found; 0 leaves a way out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ngram: int = Field(
        default=13, ge=0, le=50, title="Run of words", description="so many words in a row in common; 0: not looked at"
    )
    containment: float = Field(
        default=0.2,
        ge=0,
        le=1,
        title="Containment",
        description="of a protected text's runs of five words; 0: off",
    )
    minhash: float = Field(
        default=0.0, ge=0, le=1, title="MinHash", description="likeness of runs of characters, such as 0.8; 0: off"
    )
    embedding: float = Field(
        default=0.0, ge=0, le=1, title="Embedding", description="cosine of the prompts' vectors, such as 0.9; 0: off"
    )


@dataclass(frozen=True, slots=True)
class Protected:
    """A text that must stay unseen, and where it is: a set, and what it is called in it."""

    set: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """What a text overlaps with, how, how much (1: all of it), and the words in common."""

    protected: Protected
    how: str
    score: float
    shared: str = ""

    @property
    def reason(self) -> str:
        """In words for a person, with the set, the row and the words in common."""
        words = {
            "exact": "the same words",
            "n-gram": f"{len(self.shared.split())} words in a row",
            "containment": f"{self.score:.0%} of its runs of {RUN} words",
            "minhash": f"alike by {self.score:.2f}",
            "embedding": f"a cosine of {self.score:.3f}",
        }[self.how]
        shown = f": “{self.shared}”" if self.shared else ""
        return f"overlaps with {self.protected.set}, {self.protected.name}, by {words}{shown}"


class Guard:
    """Protected texts, ready to be compared with any number of others."""

    def __init__(self, protected: Iterable[Protected], ways: Ways, vectors: Any = None) -> None:
        """`vectors`: those of the protected texts, in their order, None where one has none, to compare embeddings."""
        self.ways = ways
        self.entries: list[Protected] = []
        self.whole: dict[str, int] = {}
        self.sizes = array("L")
        self.postings: dict[int, array[int]] = {}
        kept = [number for number, one in enumerate(protected) if self.put(one)]
        self.neighbours = self.near(None if vectors is None else [vectors[number] for number in kept])
        self.index()
        self.shared_runs = lru_cache(2048)(self.long_runs)
        self.bands: dict[tuple[int, int], array[int]] = {}
        self.signed: list[Any] = []
        if ways.minhash:
            self.sign()

    def put(self, one: Protected) -> bool:
        """Keep a text, once; whether it was new."""
        text = " ".join(words(one.text))
        if not text or text in self.whole:
            return False
        self.whole[text] = len(self.entries)
        self.entries.append(one)
        return True

    def index(self) -> None:
        """The runs of five words by where they are; those of more than COMMON texts are nobody's."""
        counted = Counter(run for one in self.entries for run in self.runs_of(one))
        for place, one in enumerate(self.entries):
            own = [run for run in self.runs_of(one) if counted[run] <= COMMON]
            self.sizes.append(len(own))
            for run in own:
                self.postings.setdefault(run, array("L")).append(place)

    @staticmethod
    def runs_of(one: Protected) -> set[int]:
        return set(map(hash, runs(words(one.text), RUN)))

    def long_runs(self, place: int) -> frozenset[str]:
        return frozenset(runs(words(self.entries[place].text), self.ways.ngram))

    def sign(self) -> None:
        self.signed = signatures([one.text for one in self.entries])
        for place, signature in enumerate(self.signed):
            for band in enumerate(banded(signature)):
                self.bands.setdefault(band, array("L")).append(place)

    def near(self, vectors: Any) -> Any:
        if vectors is None or not self.ways.embedding:
            return None
        from workers.neighbours import Neighbours

        there = [n for n, vector in enumerate(vectors) if vector is not None]
        made = Neighbours()
        made.add(there, [vectors[n] for n in there])
        return made if len(made) else None

    def hits(self, texts: Sequence[str], vectors: Any = None) -> list[Hit | None]:
        """Of each text what it overlaps with, or None. `vectors`: its vector or None, as of the protected texts."""
        found = [self.by_words(text) for text in texts]
        left = [n for n, hit in enumerate(found) if hit is None]
        if self.signed and left:
            for n, signature in zip(left, signatures([texts[n] for n in left]), strict=True):
                found[n] = self.by_signature(signature)
        if self.neighbours is None or vectors is None:
            return found
        if left := [n for n in left if found[n] is None and vectors[n] is not None]:
            keys, likeness = self.neighbours.nearest([vectors[n] for n in left])
            for n, key, cosine in zip(left, keys, likeness, strict=True):
                if key is not None and cosine >= self.ways.embedding:
                    found[n] = Hit(self.entries[key], "embedding", cosine)
        return found

    def by_words(self, text: str) -> Hit | None:
        tokens = words(text)
        same = self.whole.get(" ".join(tokens))
        if same is not None:
            return Hit(self.entries[same], "exact", 1.0, shown(" ".join(tokens)))
        if not self.ways.ngram and not self.ways.containment:
            return None
        counts: Counter[int] = Counter()
        for run in set(map(hash, runs(tokens, RUN))):
            if (places := self.postings.get(run)) is not None:
                counts.update(places)
        if not counts:
            return None
        looked_at = sorted(counts, key=lambda place: (-counts[place], place))[:LOOKED_AT]
        if self.ways.ngram and (hit := self.by_long_run(tokens, [n for n in looked_at if counts[n] >= self.enough])):
            return hit
        shares = [(counts[n] / self.sizes[n], -n) for n in looked_at if counts[n] >= FEWEST_SHARED]
        share, place = max(shares, default=(0.0, 0))
        if not self.ways.containment or share < self.ways.containment:
            return None
        return Hit(self.entries[-place], "containment", share, shown(common_run(tokens, self.entries[-place].text)))

    @property
    def enough(self) -> int:
        """Runs of five in common without which there is no long one."""
        return max(1, min(SURELY, self.ways.ngram - RUN + 1))

    def by_long_run(self, tokens: Sequence[str], places: Sequence[int]) -> Hit | None:
        if not places:
            return None
        own = list(runs(tokens, self.ways.ngram))
        for place in places:
            theirs = self.shared_runs(place)
            shared = next((run for run in own if run in theirs), None)
            if shared:
                return Hit(self.entries[place], "n-gram", 1.0, shown(shared.strip()))
        return None

    def by_signature(self, signature: Any) -> Hit | None:
        places = {n for band in enumerate(banded(signature)) for n in self.bands.get(band, ())}
        if not places:
            return None
        alike = ((sum(map(int.__eq__, signature, self.signed[n])) / PERMUTATIONS, -n) for n in places)
        score, place = max(alike)
        return Hit(self.entries[-place], "minhash", score) if score >= self.ways.minhash else None


def said_by_user(messages: Iterable[Mapping[str, Any]]) -> str:
    """What the user said in a prompt: the words of systems and of models are the same in many."""
    said = [str(one.get("content") or "") for one in messages if one.get("role") == "user"]
    return "\n\n".join(said)


def words(text: str) -> list[str]:
    """Words and numbers without regard to case, width and punctuation."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return WORDS.findall(text.lower())


def runs(tokens: Sequence[str], length: int) -> Iterator[str]:
    """Each run of so many words, with a space behind."""
    text = " ".join(tokens) + " "
    starts = list(accumulate((len(token) + 1 for token in tokens), initial=0))
    return (text[start:end] for start, end in zip(starts, starts[length:], strict=False))


def common_run(tokens: Sequence[str], other: str) -> str:
    """The longest run of words that both have, the first of them."""
    from difflib import SequenceMatcher

    theirs = words(other)
    found = SequenceMatcher(None, tokens, theirs, autojunk=False).find_longest_match()
    return " ".join(tokens[found.a : found.a + found.size])


def shown(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
