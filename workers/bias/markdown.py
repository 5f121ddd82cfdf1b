"""Markdown: lists, bold text, headers, code and tables, each as there or not there."""

from __future__ import annotations

import re

from workers.bias.rows import Chosen, Seens, either
from workers.habits.style import BOLD, HEADER, LISTED

CODE = re.compile(r"^[ \t]*(?:```|~~~)|`[^`\n]+`", re.M)
TABLE = re.compile(r"^[ \t]*\|?[ \t]*:?-{3,}:?[ \t]*\|", re.M)
MARKS = {"lists": LISTED, "bold text": BOLD, "headers": HEADER, "code": CODE, "tables": TABLE}


def markdown(pair: Chosen) -> Seens:
    for name, pattern in MARKS.items():
        yield from either(name, bool(pattern.search(pair.chosen)), bool(pattern.search(pair.rejected)))
