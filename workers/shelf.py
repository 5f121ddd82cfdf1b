"""A shelf of interchangeable methods: one file each in one folder, each adding itself with its last statement."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


class Shelf(Generic[T]):
    """Methods by name. The folder `package` is imported when somebody first looks."""

    def __init__(self, package: str, what: str) -> None:
        self.package, self.what = package, what
        self._methods: dict[str, T] = {}
        self._filled = False

    def add(self, method: T) -> T:
        if method.name in self._methods:
            raise ValueError(f"two {self.what}s are named {method.name}")
        self._methods[method.name] = method
        return method

    def get(self, name: str) -> T:
        """Raises KeyError naming what there is."""
        self._fill()
        try:
            return self._methods[name]
        except KeyError:
            raise KeyError(f"no {self.what} {name!r}; there is: {', '.join(sorted(self._methods))}") from None

    def __iter__(self) -> Iterator[T]:
        self._fill()
        return iter([self._methods[name] for name in sorted(self._methods)])

    def _fill(self) -> None:
        if not self._filled:
            folder = importlib.import_module(self.package)
            for module in pkgutil.iter_modules(folder.__path__):
                importlib.import_module(f"{self.package}.{module.name}")
            self._filled = True
