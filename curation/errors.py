"""What a person may be told: every error that is an answer rather than a fault."""

from __future__ import annotations


class DomainError(Exception):
    """Base of the errors that a page shows as a message and the API as a problem."""

    status = 422
    title = "Not possible"

    def __init__(self, detail: str, *, field: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class Invalid(DomainError):
    """The input breaks a rule; `field` names the place."""

    status = 422
    title = "Invalid input"


class Conflict(DomainError):
    """The state of things forbids it."""

    status = 409
    title = "Conflict"


class OverlapFull(Conflict):
    """Enough others answered this task meanwhile; the answer was kept but does not count."""

    title = "Enough answers already"

    def __init__(self, detail: str, annotation_id: int) -> None:
        super().__init__(detail)
        self.annotation_id = annotation_id


class Withdrawn(OverlapFull):
    """The item was taken out meanwhile; the answer was kept but does not count."""

    title = "No longer asked"


class Forbidden(DomainError):
    status = 403
    title = "Not allowed"


class Paused(Forbidden):
    """This annotator gets no tasks for now; the detail says why."""

    title = "You are paused"


class NotFound(DomainError):
    status = 404
    title = "Not found"


class TooMany(DomainError):
    """Not now: somebody asks too often."""

    status = 429
    title = "Too many"


class AppendOnly(Exception):
    """Somebody tried to change or delete a row that is kept for ever: a fault in the code."""
