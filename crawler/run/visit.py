"""One visit while it lasts: its entry, and what its exchanges brought."""

from __future__ import annotations

from contextvars import ContextVar

from crawler.request import Entry
from crawler.response import Response
from crawler.store.base import Answer, Facts, Outcome, State

#: The entry that this task visits, where hooks may want to know.
visited: ContextVar[Entry | None] = ContextVar("visited", default=None)


class OpenVisit:
    """An entry that is being asked for, and the answers so far."""

    __slots__ = (
        "answers",
        "elapsed",
        "entry",
        "has_head",
        "is_asked",
        "pause",
        "wall",
        "way",
    )

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.answers: list[Answer] = []
        #: Seconds of its last exchange, up to the end of the body or the failure.
        self.elapsed = 0.0
        #: Whether the host was asked; a layer may have answered in its place.
        self.is_asked = False
        #: Whether the exchange that is under way has brought a head.
        self.has_head = False
        #: The URL of a cookie wall that was met here first; "": none.
        self.wall = ""
        #: The proxy by which it was asked last, which a layer may have chosen.
        self.way = ""
        #: Seconds for which an answer has paused the host.
        self.pause = 0.0

    def note(self, response: Response) -> None:
        """Count an answer; its body was read as far as it will be."""
        version = response.http_version
        self.answers.append(Answer(response.status_code, version, response.received))

    def outcome(
        self,
        state: State,
        reason: str = "",
        detail: str = "",
        *,
        due: float = 0.0,
        facts: Facts | None = None,
    ) -> Outcome:
        """What the visit came to, with what its exchanges brought."""
        return Outcome(
            self.entry,
            state,
            reason,
            detail,
            due,
            self.is_asked,
            self.answers,
            self.elapsed,
            facts=facts,
        )
