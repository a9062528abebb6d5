"""What a page has fetched by `self.fetch`: it is counted and told with the page."""

from __future__ import annotations

import msgspec

from crawler.store.base import Answer, Outcome, State

#: Characters that the page log keeps of what a page has fetched.
MAX_TEXT = 400


class Made(msgspec.Struct):
    """What a page has fetched, for its outcome."""

    answers: list[Answer] = []
    texts: list[str] = []
    count: int = 0

    def add(self, outcome: Outcome) -> None:
        """One more exchange, or several, of a fetch."""
        self.answers.extend(outcome.answers)
        assert outcome.entry is not None
        said = outcome.status or outcome.reason
        self.texts.append(f"{outcome.entry.url} ({said})")

    def merge(self, other: Made) -> None:
        """Add what another part of the same visit has fetched."""
        self.answers += other.answers
        self.texts += other.texts
        self.count += other.count

    def take(self) -> Made:
        """What there is so far; it begins anew."""
        made = Made(self.answers, self.texts, self.count)
        self.answers, self.texts, self.count = [], [], 0
        return made

    def tell(self, outcome: Outcome) -> None:
        """Add it to the outcome of its page."""
        outcome.answers = [*self.answers, *outcome.answers]
        outcome.fetched = self.count
        if outcome.state is State.DONE and not outcome.detail:
            text = f"fetched {', '.join(self.texts)}"
            outcome.detail = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} ..."
