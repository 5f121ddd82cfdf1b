"""What preferences go by besides what the responses say, over a project's decided pairs or over a dataset version.

gathering.py  decided pairs and the answers behind them, streamed
asking.py     the run that counts them
telling.py    the newest report, and the items behind a figure
"""

from __future__ import annotations

from curation.services.bias.asking import METHOD

__all__ = ["METHOD"]
