"""Models kept loaded between shards, the one used last longest; what is held is named by its version's id."""

from __future__ import annotations

import gc
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

MOST = int(os.environ.get("TOUCHSTONE_WARM_MODELS") or 2)
"""Models kept in one process; more where the card or the memory is large."""

_loaded: OrderedDict[int, Any] = OrderedDict()


def get(key: int, load: Callable[[], Any], most: int = MOST) -> Any:
    """The model of this key, loaded if it is not held; the one that was used longest ago makes room."""
    if key in _loaded:
        _loaded.move_to_end(key)
        return _loaded[key]
    while len(_loaded) >= most:
        _loaded.popitem(last=False)
        gc.collect()
    _loaded[key] = load()
    return _loaded[key]


def held() -> tuple[int, ...]:
    return tuple(_loaded)


def forget() -> None:
    """Let go of every model, as when memory ran out."""
    _loaded.clear()
    gc.collect()
