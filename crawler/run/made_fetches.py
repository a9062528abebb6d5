"""Counts the requests that a spider's `fetch` makes for a page; they are stored and
logged together with the page."""

from __future__ import annotations

import msgspec

from crawler.store.base import Answer, Outcome, State

#: Maximum number of characters about `fetch` requests in the log line of a page.
MAX_TEXT = 400


class Made(msgspec.Struct):
    """The requests that the spider's `fetch` made for one page. They become a part of
    the page's outcome (its results)."""

    answers: list[Answer] = []
    texts: list[str] = []
    count: int = 0
    #: Number of calls of the spider's `fetch` for this page, which is limited.
    asked: int = 0

    def add(self, outcome: Outcome) -> None:
        """Add the counts of one request. A call of `fetch` may need several requests,
        for example after redirects."""
        self.answers.extend(outcome.answers)
        assert outcome.entry is not None
        said = outcome.status or outcome.reason
        self.texts.append(f"{outcome.entry.url} ({said})")

    def merge(self, other: Made) -> None:
        """Add the requests that another step of the same page has made, for example a
        hook (`prepare` or a login)."""
        self.answers += other.answers
        self.texts += other.texts
        self.count += other.count
        self.asked += other.asked

    def take(self) -> Made:
        """Return the counts so far, and begin again with none."""
        made = Made(self.answers, self.texts, self.count, self.asked)
        self.answers, self.texts, self.count, self.asked = [], [], 0, 0
        return made

    def tell(self, outcome: Outcome) -> None:
        """Add the counts of the requests to the outcome (the results) of their page."""
        outcome.answers = [*self.answers, *outcome.answers]
        outcome.fetched = self.count
        if outcome.state is State.DONE and not outcome.detail:
            text = f"fetched {', '.join(self.texts)}"
            outcome.detail = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} ..."
