"""Lines that the server need not write: a Hub's clients ask first without a token, and for files that may not be."""

from __future__ import annotations

import logging

EXPECTED = (401, 404)


class Unexpected(logging.Filter):
    """Leaves out answers of the Hub's doors that its clients reckon with; those of all other addresses stay."""

    def filter(self, record: logging.LogRecord) -> bool:
        path = getattr(getattr(record, "request", None), "path_info", "")
        return not (path.startswith("/hub/") and getattr(record, "status_code", 0) in EXPECTED)
