"""Model text to safe HTML: Markdown without raw HTML, mathematics as MathML, code highlighted by class.

Every text is hostile until it went through nh3, whose list of tags and attributes is the last word.
"""

from __future__ import annotations

import hashlib
import html
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import latex2mathml.converter
import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

LONGEST = 200_000
"""Longer texts are shown as they are, without Markdown: laying them out would hold everybody up."""
LONGEST_CODE = 50_000
CACHE_BYTES = 32 * 2**20

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
    "span": {"class"},
    "div": {"class"},
    "code": {"class"},
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

DISPLAY_BRACKETS = re.compile(r"^([ \t]*)\\\[(.+?)\\\]", re.MULTILINE | re.DOTALL)
INLINE_BRACKETS = re.compile(r"\\\((.+?)\\\)")
FENCE = re.compile(r"(^[ \t]*(?:```|~~~).*?^[ \t]*(?:```|~~~)[ \t]*$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, rendered."""

    role: str
    html: SafeString


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


def conversation(messages: Sequence[dict[str, Any]]) -> list[Turn]:
    """Every message with its role and its rendered text."""
    return [Turn(str(m.get("role", "")), markdown(str(m.get("content", "")))) for m in messages]


def render(text: str) -> str:
    if len(text) > LONGEST:
        return f'<pre class="plain" tabindex="0">{html.escape(text)}</pre>'
    return clean(PARSER.render(dollars(text)))


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


def dollars(text: str) -> str:
    r"""Mathematics in \( \) and \[ \] as the dollar signs that the parser knows; code is left alone."""
    parts = FENCE.split(text)
    for n in range(0, len(parts), 2):
        part = DISPLAY_BRACKETS.sub(lambda m: f"{m[1]}$$\n{m[2].strip()}\n{m[1]}$$", parts[n])
        parts[n] = INLINE_BRACKETS.sub(lambda m: f"${m[1].strip()}$", part)
    return "".join(parts)


def mathematics(content: str, options: dict[str, Any]) -> str:
    """LaTeX as MathML; what the converter does not understand stays readable as its source."""
    block = bool(options["display_mode"])
    try:
        made = latex2mathml.converter.convert(content, display="block" if block else "inline")
    except Exception:  # noqa: BLE001 - the converter raises whatever its stack does on wrong LaTeX
        return f'<code class="math-source">{html.escape(content)}</code>'
    return f'<div class="math">{made}</div>' if block else made


def code(content: str, language: str, _attributes: str) -> str:
    """A fenced block with Pygments' classes; unknown languages and long blocks stay plain."""
    if not language or len(content) > LONGEST_CODE:
        return html.escape(content)
    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return html.escape(content)
    return highlight(content, lexer, HtmlFormatter(nowrap=True))


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
    source = html.escape(str(token.attrGet("src") or ""), quote=True)
    return f'<a href="{source}">[image: {html.escape(token.content or source)}]</a>'


def parser() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "breaks": True, "highlight": code})
    made.enable(["table", "strikethrough"])
    made.use(dollarmath_plugin, renderer=mathematics, double_inline=True, allow_digits=False)
    for block in ("paragraph_open", "heading_open", "list_item_open", "blockquote_open"):
        made.add_render_rule(block, auto_direction)
    for cell in ("th_open", "td_open"):
        made.add_render_rule(cell, aligned_cell)
    made.add_render_rule("image", image_as_link)
    return made


PARSER = parser()
CACHE = Rendered(CACHE_BYTES)
