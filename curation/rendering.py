"""Model text to safe HTML: Markdown without raw HTML, mathematics as MathML, code highlighted by class.

Every text is hostile until it went through nh3, whose list of tags and attributes is the last word. Every piece of
text says where it stands in its source (`sourcemap.py`), so that what is selected on a page is a span of the source.
"""

from __future__ import annotations

import hashlib
import html
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import groupby
from typing import Any

import latex2mathml.converter
import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.dollarmath.index import math_block_dollar
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from curation.sourcemap import Inline, InlineState, Piece, Source, noting_cells, noting_span, place_tokens
from workers.parts import alone

LONGEST = 200_000
"""Longer texts are shown as they are, without Markdown: laying them out would hold everybody up."""
LONGEST_CODE = 50_000
CACHE_BYTES = 32 * 2**20

HIGHEST = 560
"""Pixels of a picture beside a text; in a window of its own it is as large as that."""

MATHML = {
    "math", "mrow", "mi", "mn", "mo", "mtext", "ms", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup",
    "munder", "mover", "munderover", "mmultiscripts", "mprescripts", "mtable", "mtr", "mtd", "mstyle", "mpadded",
    "mphantom", "menclose",
}  # fmt: skip
TAGS = MATHML | {
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "span", "div",
    "em", "strong", "s", "a", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES: dict[str, set[str]] = {
    "a": {"href", "title"},
    "ol": {"start"},
    "span": {"class", "data-o", "data-l"},
    "div": {"class"},
    "code": {"class", "data-o", "data-l"},
    "pre": {"class", "tabindex"},
    "th": {"class"},
    "td": {"class"},
    "math": {"display"},
    "mo": {"stretchy", "fence", "separator", "form", "lspace", "rspace", "minsize", "maxsize"},
    "mi": {"mathvariant"},
    "mspace": {"width"},
    "mtd": {"columnalign"},
    "mtable": {"columnalign"},
    "mfrac": {"linethickness"},
    "menclose": {"notation"},
    "mstyle": {"displaystyle", "scriptlevel"},
}
for tag in ("p", "li", "h1", "h2", "h3", "h4", "h5", "h6", "td", "th", "blockquote", "ul", "ol"):
    ATTRIBUTES.setdefault(tag, set()).add("dir")

PLACE = re.compile(r'(<(?:span|code)[^<>]* data-o=")(\d+)"')
"""Where a piece says from which code point it is; a quotation mark in a text is none in a tag."""
CLOSING = {"(": re.compile(r"(?<!\\)(?:\\\\)*\\\)"), "[": re.compile(r"(?<!\\)(?:\\\\)*\\\]")}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a message: of this project, by its hash, or elsewhere, by its address, which nobody loads."""

    sha256: str
    url: str
    alt: str
    width: int = 0
    height: int = 0
    at: int = 0

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height on a page: a high picture is made smaller, all of it."""
        by = min(1, HIGHEST / max(1, self.height))
        return max(1, round(self.width * by)), max(1, round(self.height * by))


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a message's text, and the pictures that come after it."""

    html: SafeString
    pictures: list[Picture]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, rendered; `html` is the whole text, without its pictures."""

    role: str
    html: SafeString
    parts: Sequence[Part] = ()
    alone: bool = False
    """Whether the text only stands for the pictures."""

    @property
    def pictures(self) -> list[Picture]:
        return [picture for part in self.parts for picture in part.pictures]


class Rendered:
    """The texts rendered last, up to a number of bytes; shared by the threads of a process."""

    def __init__(self, most: int) -> None:
        self.most, self.size = most, 0
        self.texts: OrderedDict[bytes, str] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, text: str) -> str:
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with self.lock:
            if (found := self.texts.get(key)) is not None:
                self.texts.move_to_end(key)
                return found
        made = render(text)
        with self.lock:
            if key not in self.texts:
                self.texts[key] = made
                self.size += len(made)
            while self.size > self.most and len(self.texts) > 1:
                _, oldest = self.texts.popitem(last=False)
                self.size -= len(oldest)
        return made


def markdown(text: str) -> SafeString:
    """`text` as safe HTML; the same text is rendered once."""
    return mark_safe(CACHE.get(text))  # noqa: S308 - cleaned by nh3


def raw(text: str) -> SafeString:
    """`text` as it stands, to be shown instead of its Markdown; its pieces say where they stand as there."""
    return mark_safe(as_it_stands(text, "raw"))  # noqa: S308 - escaped


def conversation(messages: Sequence[dict[str, Any]]) -> list[Turn]:
    """Every message with its role and its rendered text."""
    return [turn(message) for message in messages]


def turn(message: Mapping[str, Any]) -> Turn:
    role, text = str(message.get("role", "")), str(message.get("content", ""))
    if not message.get("images"):
        return Turn(role, markdown(text))
    return Turn(role, markdown(text), parts(message), text == alone(pictures_of(message["images"])))


def pictures_of(images: Any) -> list[Picture]:
    """Pictures as an import leaves them in a message or a context; anything else is none."""
    found = []
    for one in images if isinstance(images, list) else ():
        address = one.get("image_url") if isinstance(one, dict) else None
        if isinstance(address, dict):
            found.append(Picture("", str(address.get("url", "")), str(one.get("alt", "")), at=one.get("at", 0)))
        elif isinstance(one, dict) and isinstance(one.get("image"), str):
            size = one.get("width", 0), one.get("height", 0)
            found.append(Picture(one["image"], "", str(one.get("alt", "")), *size, at=one.get("at", 0)))
    return found


def parts(message: Mapping[str, Any]) -> list[Part]:
    """A message's text, cut where its pictures stand, each stretch with those that come after it."""
    text, at = str(message.get("content", "")), 0
    made: list[Part] = []
    for place, pictures in groupby(pictures_of(message.get("images")), key=lambda picture: picture.at):
        made.append(Part(stretch(text, at, place), list(pictures)))
        at = place
    return [*made, Part(stretch(text, at, len(text)), [])] if at < len(text) else made


def stretch(text: str, start: int, end: int) -> SafeString:
    """A part of a text, rendered by itself, whose pieces say where they stand in the whole."""
    start += len(text[start:end]) - len(text[start:end].lstrip("\n"))
    if start >= end:
        return SafeString("")
    made = markdown(text[start:end])
    if not start:
        return made
    return mark_safe(PLACE.sub(lambda found: f'{found[1]}{int(found[2]) + start}"', made))  # noqa: S308 - a number


def render(text: str) -> str:
    if len(text) > LONGEST:
        return as_it_stands(text, "plain")
    tokens = PARSER.parse(text)
    place_tokens(text, tokens)
    return clean(str(PARSER.renderer.render(tokens, PARSER.options, {})))


def as_it_stands(text: str, name: str) -> str:
    lines = "".join(piece.html() for piece in Source(text).as_it_stands())
    return f'<pre class="{name}" tabindex="0">{lines}</pre>'


def clean(unsafe: str) -> str:
    return nh3.clean(
        unsafe,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        strip_comments=True,
    )


def bracket_inline(state: StateInline, silent: bool) -> bool:
    r"""The inline rule of mathematics in \( \), and of \[ \] where it does not stand alone on its lines."""
    start, kind = state.pos, state.src[state.pos + 1 : state.pos + 2]
    if state.src[start] != "\\" or kind not in CLOSING:
        return False
    end = closing(state, kind, start + 2)
    if end < 0 or not state.src[start + 2 : end - 2].strip():
        return False
    if not silent:
        token = state.push("math_inline" if kind == "(" else "math_inline_double", "math", 0)
        token.content, token.markup = state.src[start + 2 : end - 2], "\\" + kind
    state.pos = end
    return True


def closing(state: StateInline, kind: str, start: int) -> int:
    """Where the closing bracket ends; -1 without one, which is remembered, since a text can open many."""
    unclosed = state.unclosed if isinstance(state, InlineState) else {}
    if start >= unclosed.get((kind, state.posMax), state.posMax):
        return -1
    found = CLOSING[kind].search(state.src, start, state.posMax)
    if found is None:
        unclosed[kind, state.posMax] = start
    return found.end() if found else -1


def bracket_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    r"""The block rule of mathematics in \[ \], alone on its lines."""
    first = state.bMarks[start] + state.tShift[start]
    if state.is_code_block(start) or not state.src.startswith("\\[", first, state.eMarks[start]):
        return False
    last = closing_line(state, start, end)
    begins = [first + 2, *state.bMarks[start + 1 : last + 1]]
    lines = [state.src[a:b] for a, b in zip(begins, state.eMarks[start : last + 1], strict=False)]
    content = "\n".join(lines).rstrip().removesuffix("\\]")
    if last < 0 or not content.strip():
        return False
    if not silent:
        token = state.push("math_block", "math", 0)
        token.block, token.markup, token.map, token.content = True, "\\[", [start, last + 1], content
        state.line = last + 1
    return True


def closing_line(state: StateBlock, start: int, end: int) -> int:
    """The line that the closing bracket ends; -1 if none, remembered for the lines between, as a text can open many."""
    line, begin = start, state.bMarks[start] + state.tShift[start] + 2
    if start < state.env.get("unclosed", 0):
        return -1
    while line < end and (state.isEmpty(line) or state.sCount[line] >= state.blkIndent):
        if found := CLOSING["["].search(state.src, begin, state.eMarks[line]):
            if not state.src[found.end() : state.eMarks[line]].strip():
                return line
            break
        line += 1
        begin = state.bMarks[line]
    state.env["unclosed"] = line
    return -1


def mathematics(token: Token, *, block: bool) -> str:
    """LaTeX as MathML; what the converter does not understand stays readable as its source."""
    place: Piece = token.meta.get("place") or Piece("")
    content = token.content.strip()
    if not content:
        return place.wrap(f"{token.markup}{token.content}{token.markup}")
    try:
        made = latex2mathml.converter.convert(content, display="block" if block else "inline")
    except Exception:  # noqa: BLE001 - the converter raises whatever its stack does on wrong LaTeX
        return place.wrap(f'<code class="math-source">{html.escape(content)}</code>')
    if token.info:
        made += html.escape(f" ({token.info})")
    return f'<div class="math">{place.wrap(made)}</div>' if block else place.wrap(made)


def math_inline(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    return f'<span class="math inline">{mathematics(tokens[index], block=False)}</span>'


def math_display(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    return f'<div class="math block">{mathematics(tokens[index], block=True)}</div>'


def text_pieces(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    return "".join(piece.html() for piece in tokens[index].meta["pieces"])


def code_pieces(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    pieces: list[Piece] = tokens[index].meta["pieces"]
    if len(pieces) == 1:
        return f"<code{pieces[0].attributes()}>{html.escape(pieces[0].text)}</code>"
    return f"<code>{''.join(piece.html() for piece in pieces)}</code>"


def code(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """A block of code, each of its lines in an element that says where it stands."""
    token: Token = tokens[index]
    language = (unescapeAll(token.info).split() or [""])[0]
    coloured = highlighted(token.content, language)
    lines = [line_of_code(pieces, coloured[n : n + 1]) for n, pieces in enumerate(token.meta["lines"])]
    name = f' class="language-{html.escape(language)}"' if language else ""
    return f"<pre><code{name}>{''.join(lines)}</code></pre>\n"


def line_of_code(pieces: list[Piece], coloured: list[str]) -> str:
    """A line in colours when it is one piece, its end aside; else its pieces."""
    first, *rest = pieces
    if not coloured or [piece.text for piece in rest] not in ([], ["\n"]):
        return "".join(piece.html() for piece in pieces)
    end = "" if rest else "\n"
    return first.wrap(coloured[0] + end) + "".join(piece.html() for piece in rest)


def highlighted(content: str, language: str) -> list[str]:
    """The lines of a block of code with Pygments' classes; none for unknown languages and long blocks."""
    if not language or len(content) > LONGEST_CODE:
        return []
    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return []
    tokens, made = list(lexer.get_tokens(content)), StringIO()
    if "".join(value for _, value in tokens) != content.removesuffix("\n") + "\n":
        return []  # a lexer that leaves something out would shift what follows
    HtmlFormatter(nowrap=True).format(tokens, made)
    return made.getvalue().split("\n")


def auto_direction(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """Blocks find their own direction, so that Arabic and Hebrew read from the right."""
    tokens[index].attrSet("dir", "auto")
    return str(self.renderToken(tokens, index, options, env))


def aligned_cell(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """A table cell's alignment as a class, since styles are not allowed."""
    style = str(tokens[index].attrs.pop("style", ""))
    if style.startswith("text-align:"):
        tokens[index].attrSet("class", f"align-{style.removeprefix('text-align:').strip()}")
    return auto_direction(self, tokens, index, options, env)


def image_as_link(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """Images of foreign hosts are not loaded; the text says that there is one."""
    token = tokens[index]
    address = str(token.attrGet("src") or "")
    shown = token.content or ("" if address[:5].lower() == "data:" else address)
    source = html.escape(address, quote=True)
    said = html.escape(f"[image: {shown}]" if shown else "[image]")
    return f'<a href="{source}">{(token.meta.get("place") or Piece("")).wrap(said)}</a>'


def parser() -> MarkdownIt:
    made = MarkdownIt("zero")
    made.inline = Inline()
    made.configure("commonmark", {"html": False, "breaks": True})
    made.enable(["table", "strikethrough"])
    made.disable(["text_join", "fragments_join"])  # which would put pieces together that stand apart
    made.use(dollarmath_plugin, double_inline=True, allow_digits=False, allow_space=False)
    made.inline.ruler.before("escape", "bracket_inline", bracket_inline)
    made.block.ruler.at("table", noting_cells, {"alt": ["paragraph", "reference"]})
    made.block.ruler.at("math_block", noting_span(math_block_dollar(label_normalizer=str)))
    made.block.ruler.before(
        "fence",
        "bracket_block",
        noting_span(bracket_block),
        {"alt": ["paragraph", "reference", "blockquote", "list"]},
    )
    for block in ("paragraph_open", "heading_open", "list_item_open", "blockquote_open"):
        made.add_render_rule(block, auto_direction)
    for cell in ("th_open", "td_open"):
        made.add_render_rule(cell, aligned_cell)
    for name, rule in RULES.items():
        made.add_render_rule(name, rule)
    return made


RULES = {
    "text": text_pieces,
    "code_inline": code_pieces,
    "code_block": code,
    "fence": code,
    "image": image_as_link,
    "math_inline": math_inline,
    "math_inline_double": math_display,
    "math_block": math_display,
    "math_block_label": math_display,
}
PARSER = parser()
CACHE = Rendered(CACHE_BYTES)
