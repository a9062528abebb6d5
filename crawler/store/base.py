"""The protocols by which a run writes, and their values: requests, outcomes, items.

An "outcome" is the result of one visit (one fetch of a page with its callback): items,
links and the state of the page. A page "ends" when its URL gets a final state; until
then it is pending. A "group" is the outcomes of one commit.

Rule: a page stays pending until the commit that ends it, and a commit takes effect as a
whole or not at all. Code outside of the store must not assume that this process is the
only one that uses the data.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import IntEnum
from typing import Any, Protocol

import msgspec

from crawler.errors import Reason
from crawler.request import BUILT, START, Entry
from crawler.stats import Counters, add
from crawler.store.files import FileTable
from crawler.store.status import Status

#: The position of a request in its host's queue: (-priority, depth, sequence). The
#: request with the lowest position is sent first.
Place = tuple[int, int, int]


class State(IntEnum):
    """The state of a URL; all states except PENDING are final."""

    PENDING = 0
    DONE = 1
    FAILED = 2
    SKIPPED = 3
    REDIRECTED = 4


class Item(msgspec.Struct, frozen=True):
    """An item that a page yielded: its JSON, and the keys that make it unique."""

    body: bytes
    #: Values that no two items of the run may share, as (name of the rule, value).
    keys: tuple[tuple[str, bytes], ...] = ()
    #: The item itself, for readers in this process; a durable store keeps only `body`.
    value: Any = None
    #: The name of the item's class; "" for a dict.
    type: str = ""


class ItemRow(msgspec.Struct, frozen=True):
    """A committed item, as sinks receive it."""

    #: The item's number in the run, from 1, without gaps.
    sequence: int
    #: The fingerprint of the page that yielded the item.
    fingerprint: int
    #: The item's number among the items of its page.
    ordinal: int
    #: The item as one line of JSON, without the line end.
    body: bytes
    #: The object that the callback yielded; None if an earlier process stored it.
    value: Any = None
    #: The name of the item's class; "" for a dict.
    type: str = ""

    @property
    def item(self) -> dict[str, Any]:
        """Return the item's fields as in its JSON, decoded at each call."""
        return _decode_item(self.body)


_decode_item = msgspec.json.Decoder(dict[str, Any]).decode


class Rejected(msgspec.Struct, frozen=True):
    """A link that a filter skipped, and the filter's name."""

    fingerprint: int
    url: str
    rule: str
    parent: int
    found_as: str = ""


class Portion(msgspec.Struct):
    """A part of the results of a page, which the store keeps until the page ends."""

    items: Sequence[Item] = ()
    requests: Sequence[Entry] = ()
    rejected: Sequence[Rejected] = ()


class Facts(msgspec.Struct):
    """What a resumed run must know besides its requests and items.

    An outcome carries the facts that are new with it, and they are committed together.
    The store keeps the sum of all committed facts.
    """

    #: Hosts that joined the scope during the run.
    scope: set[str] = set()
    #: Host names, and origins, of the requests that `start()` yielded.
    start_names: set[str] = set()
    start_origins: set[str] = set()
    #: Cookies by (session, domain), each as written by `Jar.to_json`; later cookies
    #: replace earlier ones.
    cookies: dict[tuple[str, str], bytes] = {}
    #: Whether `start()` has yielded all its requests, and all are committed.
    start_ended: bool = False
    #: Cookie walls: URLs that set a cookie and redirect back to the requesting page.
    walls: set[str] = set()
    #: Users and passwords of start URLs, each as `ORIGIN AUTHORIZATION`.
    start_credentials: set[str] = set()
    #: Names of sessions that are not used any more in this run.
    retired: set[str] = set()
    #: Why the spider ended the crawl by StopCrawl; "" if it did not.
    stopped: str = ""
    #: How the run ended, once the items of `closing()` are committed; "" before.
    closed: str = ""
    #: By host: until when the host is paused after a refusal, in wall-clock seconds.
    pauses: dict[str, float] = {}
    #: Names of the spider's attributes that its code has set during the run; a resumed
    #: run warns that their values are lost.
    attributes: set[str] = set()

    def __bool__(self) -> bool:
        """Return whether any field holds a fact."""
        return bool(
            self.scope
            or self.start_names
            or self.start_origins
            or self.start_credentials
            or self.walls
            or self.cookies
            or self.start_ended
            or self.retired
            or self.stopped
            or self.closed
            or self.pauses
            or self.attributes
        )

    def add(self, later: Facts) -> None:
        """Add facts that were committed later than these."""
        self.scope |= later.scope
        self.start_names |= later.start_names
        self.start_origins |= later.start_origins
        self.start_credentials |= later.start_credentials
        self.walls |= later.walls
        self.cookies.update(later.cookies)
        self.start_ended = self.start_ended or later.start_ended
        self.retired |= later.retired
        self.stopped = self.stopped or later.stopped
        self.closed = self.closed or later.closed
        self.pauses.update(later.pauses)
        self.attributes |= later.attributes


class Answer(msgspec.Struct, frozen=True):
    """What the counters need of one response: status, HTTP version and size."""

    status: int
    #: The HTTP version: "HTTP/1.1" or "HTTP/2".
    http_version: str
    #: Bytes of the body received from the network.
    received: int = 0


# This class has over 12 attributes, because it is a plain value with all that one fetch
# of a page changes.
class Outcome(msgspec.Struct):
    """The result of one visit (one fetch of a page with its callback), or one value of
    `start()`: all its effects are committed together or not at all.

    `entry` is the request in the queue; None for a value of `start()`. With `state`
    PENDING the entry is tried again at `due` (wall-clock seconds), with its current
    `attempt` and `first_tried`.
    """

    entry: Entry | None
    state: State = State.DONE
    #: Why the page failed, was skipped or is tried again: a `Reason`, or the name of a
    #: filter; "" if the page was crawled.
    reason: str = ""
    #: Details of the reason, as one line for people.
    detail: str = ""
    due: float = 0.0
    #: Whether the host received a request. If not, the next request to the host need
    #: not wait.
    is_asked: bool = True
    #: The responses of the visit in order; empty if no response arrived.
    answers: Sequence[Answer] = ()
    #: For the page log: seconds from the request to the end of the body.
    elapsed: float = 0.0
    #: Number of portions (parts of the result) that the store has written aside with
    #: `stage` in this attempt. If the page is done or failed, they are committed before
    #: `items` and `requests`; otherwise they are dropped. 0: all are dropped.
    portions: int = 0
    items: Sequence[Item] = ()
    #: Only for `start()`: how many items `start()` yielded before `items`. If `start()`
    #: runs again after a crash, the same items get the same numbers.
    first_ordinal: int = 0
    #: For an outcome of `start()`: how many values `start()` had yielded before the
    #: value of this outcome. After a crash `start()` runs again, and this number
    #: prevents counting a value twice. -1: not an outcome of `start()`.
    first_value: int = -1
    #: New requests; the store assigns `sequence`.
    requests: Sequence[Entry] = ()
    #: Links that a filter skipped. The store counts each link only once in a run.
    rejected: Sequence[Rejected] = ()
    #: How many links were skipped before their URLs were built, by the limit that
    #: skipped them (such as `max_links`).
    cut: Mapping[str, int] = msgspec.field(default_factory=dict)
    #: By reason: number of items that a pipeline dropped.
    dropped: Mapping[str, int] = msgspec.field(default_factory=dict)
    #: Facts that a resumed run must know; None if there are none.
    facts: Facts | None = None
    #: Whether the pending entry has changed options, such as another session, which
    #: must be stored.
    is_changed: bool = False
    #: The spider's own counts. For `start()`: all its counts so far, so that a second
    #: run of `start()` after a crash counts nothing twice.
    counts: Mapping[str, int] | None = None
    #: Whether the outcome comes from `closing()`, which is called once; then `entry` is
    #: None.
    is_closing: bool = False
    #: Number of requests that the callback sent with the spider's `fetch`; their
    #: responses are among `answers`.
    fetched: int = 0

    @property
    def status(self) -> int:
        """Return the status of the last response; 0 if there was none."""
        return self.answers[-1].status if self.answers else 0

    @property
    def received(self) -> int:
        """Return the bytes of all bodies received from the network."""
        return sum(answer.received for answer in self.answers)


#: The name of the counter of requests that were not sent, because an equal request was
#: already known.
DUPLICATE = "duplicate"


def is_built(entry: Entry) -> bool:
    """Return whether the spider built the request rather than followed a link."""
    return entry.found_as in (START, BUILT)


def count_outcome(
    counters: Counters, outcome: Outcome, *, is_again: bool = False
) -> None:
    """Add one outcome (the result of one visit) to `counters`.

    This excludes items and new URLs, which the store counts, and the counts of
    `start()`, which `count_start` adds. `is_again`: an earlier process has already
    counted this value of `start()`.
    """
    if is_again:
        return
    if outcome.entry is not None:
        _count_state(counters, outcome.entry, outcome)
    for answer in outcome.answers:
        add(counters.statuses, str(answer.status))
        add(counters.http_versions, answer.http_version)
        counters.bytes += answer.received
    counters.fetched += outcome.fetched
    for why, amount in outcome.dropped.items():
        add(counters.dropped, why, amount)
    for why, amount in outcome.cut.items():
        add(counters.skipped, why, amount)
    if outcome.counts and (outcome.entry is not None or outcome.is_closing):
        for name, amount in outcome.counts.items():
            add(counters.own, name, amount)


def count_start(
    counters: Counters, outcome: Outcome, landed: Mapping[str, int]
) -> Mapping[str, int]:
    """Add to `counters` the counts of `start()` that are not yet in `landed` (the
    counts added before). Return all counts added so far."""
    if outcome.entry is not None or outcome.is_closing or not outcome.counts:
        return landed
    for name, amount in outcome.counts.items():
        before = landed.get(name, 0)
        if amount > before:
            add(counters.own, name, amount - before)
            landed = {**landed, name: amount}
    return landed


def _count_state(counters: Counters, entry: Entry, outcome: Outcome) -> None:
    state = outcome.state
    if state is State.DONE:
        counters.pages += 1
    elif state is State.FAILED:
        counters.failed += 1
        counters.start_failed += entry.is_start
        add(counters.errors, outcome.reason)
    elif state is State.REDIRECTED:
        counters.redirected += 1
    elif state is State.SKIPPED:
        is_own = outcome.reason not in _REASONS
        add(counters.own_skips if is_own else counters.skipped, outcome.reason)
    elif outcome.reason and outcome.is_asked:
        counters.retried += 1
        add(counters.retries, outcome.reason)


_REASONS = frozenset(map(str, Reason))


class Committed(msgspec.Struct):
    """What a commit returns: what the store has found out and assigned, such as new
    entries with their sequence numbers, and the counters of the run."""

    #: Entries that became pending, with their `sequence`.
    added: list[Entry] = msgspec.field(default_factory=list)
    #: By host: the lowest position of its pending entries that only the store holds;
    #: `take` returns these entries.
    stocked: dict[str, Place] = msgspec.field(default_factory=dict)
    #: Pending entries found again at a lower depth: (fingerprint, host, depth).
    lowered: list[tuple[int, str, int]] = msgspec.field(default_factory=list)
    #: The counters of the run including this commit; not changed afterwards.
    counters: Counters = msgspec.field(default_factory=Counters)
    #: The sequence number of the last item in the run so far.
    sequence: int = 0
    #: How many of the given outcomes were committed, from the first on: all of them,
    #: unless the limit on items was reached. The pages of the rest stay pending.
    landed: int = 0
    is_full: bool = False


class RunStart(msgspec.Struct, frozen=True):
    """The job whose run `open` opens, and the terms of the run. If the job has an
    unfinished run, spider and arguments must be those of that run."""

    job: str
    spider: str
    #: The spider's arguments as JSON.
    arguments: str = "{}"
    started: float = 0.0
    fresh: bool = False
    #: The number of the run to resume; None: any unfinished run, or a new one. A store
    #: that several processes share raises NoRun if that run is over.
    resumes: int | None = None
    #: Sessions whose cookies a new run takes over from the previous run.
    sessions: tuple[str, ...] = ()
    #: Whether the process may begin a run, publish its outputs and end it; if not, the
    #: process can only join a run.
    is_leader: bool = True
    #: Limit on the pages of the run, for all its processes together; None: no limit.
    pages: int | None = None
    #: Limit on the items of the run, for all its processes together; None: no limit.
    items: int | None = None
    #: The version of the spider's code, which all processes of a shared run must have;
    #: "": any.
    code: str = ""
    #: The [politeness] settings as JSON, which all processes of a shared run must have;
    #: "": any.
    politeness: str = ""


class Opening(msgspec.Struct):
    """The data of a run (new or unfinished) with which the crawl begins, as returned
    by `open`."""

    run: int
    started: float
    is_resumed: bool = False
    #: Seconds that the run has taken in earlier processes.
    seconds: float = 0.0
    counters: Counters = msgspec.field(default_factory=Counters)
    #: All committed facts of the run, such as cookies and hosts in scope.
    facts: Facts = msgspec.field(default_factory=Facts)
    #: Hosts with pending entries, and how many each has.
    hosts: dict[str, int] = msgspec.field(default_factory=dict)
    sequence: int = 0
    #: Number of pending entries that wait for a later try.
    waiting: int = 0


class Attempt(msgspec.Struct, frozen=True):
    """One attempt at a URL: a line of the page log."""

    time: float
    state: State
    reason: str
    detail: str
    status: int
    elapsed: float
    received: int


# This class has over 12 attributes, because it is a plain value with all that the
# command `crawl why` shows of a URL.
class Explanation(msgspec.Struct, frozen=True):
    """All that a store knows about one URL."""

    fingerprint: int
    url: str
    state: State | None
    reason: str = ""
    detail: str = ""
    depth: int = 0
    parent_url: str = ""
    found_as: str = ""
    found: float = 0.0
    due: float = 0.0
    items: int = 0
    attempts: tuple[Attempt, ...] = ()
    #: How many requests were not sent, because they were equal to this one.
    duplicates: int = 0
    #: URL of the page that yielded the last of these equal requests; "" for `start()`.
    duplicate_on: str = ""
    #: Name of the callback of the last of these equal requests.
    duplicate_for: str = ""


class RequestQueue(Protocol):
    """The requests of a run: the known URLs, and which of them are pending."""

    @property
    def is_stocked(self) -> bool:
        """Whether the store keeps pending entries, so that `take` can return them when
        a host's queue is nearly empty. If not, the frontier must hold all new entries
        that a commit returns."""
        ...

    @property
    def recent(self) -> Mapping[int, int]:
        """The fingerprints of recently committed URLs, with their depth.

        A cache: a known fingerprint may be missing.
        """
        ...

    @property
    def rejected(self) -> Mapping[int, str]:
        """The fingerprints of links that a filter skipped, with the filter's name;
        limited in number."""
        ...

    async def take(
        self, host: str, limit: int, without: Collection[int], now: float
    ) -> list[Entry]:
        """Return at most `limit` pending entries of `host`, the lowest `Place` first,
        except entries with a fingerprint in `without`.

        The entries stay pending. `now` is a time of the monotonic clock, and so is
        `due` of the returned entries.
        """
        ...

    async def commit(
        self, outcomes: Sequence[Outcome], *, items_limit: int | None = None
    ) -> Committed:
        """Commit `outcomes` in one transaction, in order.

        After a StoreError nothing was committed, and the same outcomes may be committed
        again.
        """
        ...

    async def stage(self, entry: Entry, portion: Portion, number: int) -> None:
        """Write aside a part of what a page yields, before the page ends.

        `number` counts the portions (parts of the result) of the attempt; 0 drops all
        earlier portions of the page. When the page ends, `Outcome.portions` says
        whether the portions are committed.
        """
        ...


class ItemLog(Protocol):
    """The committed items of a run in order, and the position up to which each sink (an
    output) has written them."""

    async def items_after(self, sequence: int, limit: int) -> list[ItemRow]:
        """Return at most `limit` committed items in order, from the item after number
        `sequence`."""
        ...

    async def release_items(self, sequence: int) -> None:
        """Allow the store to drop items up to number `sequence` from memory: this
        process will not read them again."""
        ...

    async def sink_position(self, sink: str) -> str | None:
        """Return the position last recorded for `sink` by `set_sink_position`; None if
        there is none."""
        ...

    async def set_sink_position(self, sink: str, position: str) -> None:
        """Store `position`, up to which `sink` (an output) has written items."""
        ...


class Store(RequestQueue, ItemLog, Protocol):
    """The state of one run of one job, from `open` to `close`.

    Calls may come from several tasks at the same time. Pass a store of your own to a
    crawl by `Crawl(spider, store=...)`.
    """

    @property
    def is_durable(self) -> bool:
        """Whether the state outlives the process, so that a run can be resumed."""
        ...

    async def sink_positions(self, job: str) -> list[str]:
        """Return the last position of each sink (an output) in each kept run of a job.

        The positions show which outputs the job has written. May be called before
        `open`. Raise StateError if the state is damaged.
        """
        ...

    async def open(self, start: RunStart) -> Opening:
        """Open the job's unfinished run, or a new one. Raise StateError if the run
        cannot be opened, for example because another process leads it."""
        ...

    def file_table(self, job: str) -> FileTable:
        """Return the table of files that items of the job have named, in all its runs.

        The caller closes the table.
        """
        ...

    async def explain(self, fingerprint: int) -> Explanation | None:
        """Return all that the run knows of one URL; None for an unknown URL."""
        ...

    async def note(self, status: Status) -> None:
        """Record the status of the run, for readers; called about once a second.

        The status may be written later with the next commit, or be lost.
        """
        ...

    async def finish(self, reason: str, report: bytes) -> None:
        """Record that the run is complete, with its report; it will not be resumed."""
        ...

    async def close(self, seconds: float, *, is_begun: bool = True) -> None:
        """Close the run; `seconds` is how long the run has taken in total.

        The next `open` resumes an unfinished run. A new run is removed if it has not
        begun to crawl (`is_begun` is false).
        """
        ...
