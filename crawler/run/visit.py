"""One visit (a fetch of a page, with its callback) in progress: its entry, and the
results of its requests."""

from __future__ import annotations

from contextvars import ContextVar

from crawler.request import Entry
from crawler.response import Response
from crawler.store.base import Answer, Facts, Outcome, State

#: The entry (queued request) whose page the current task fetches; hooks (`prepare`,
#: logins) read it.
visited: ContextVar[Entry | None] = ContextVar("visited", default=None)


class OpenVisit:
    """An entry (a queued request) that a worker handles, and the responses to it so
    far."""

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
        #: Seconds that the last request took, up to the end of the body or the failure.
        self.elapsed = 0.0
        #: Whether a request was sent to the host; a layer may have answered instead.
        self.is_asked = False
        #: Whether the current request has received a response head.
        self.has_head = False
        #: The URL of the first cookie wall (a page that sets a cookie and redirects
        #: back) in this visit; "" if there is none.
        self.wall = ""
        #: The proxy of the last request ("": none); a layer may have chosen it.
        self.way = ""
        #: Longest pause of the host, in seconds, that a response of this visit has
        #: caused.
        self.pause = 0.0

    def note(self, response: Response) -> None:
        """Add a response to the counts of the visit, after its body was read."""
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
        """Return the outcome (the result that is stored) of the visit, with the counts
        of its requests."""
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
