"""The protocols that a run writes by, and their values: requests, outcomes, items.

Rule: a row stays pending until the commit that finishes it, and a commit lands whole
or not at all. No part but the store may assume that it is alone.
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

#: A place in the order of a host's entries: minus priority, depth, sequence.
Place = tuple[int, int, int]


class State(IntEnum):
    """The state of a URL; all but PENDING are terminal."""

    PENDING = 0
    DONE = 1
    FAILED = 2
    SKIPPED = 3
    REDIRECTED = 4


class Item(msgspec.Struct, frozen=True):
    """An item as a page yielded it: JSON, and the keys that make it unique."""

    body: bytes
    #: Values that no two items of the run may share, as (name of the rule, value).
    keys: tuple[tuple[str, bytes], ...] = ()
    #: The item itself, for readers in this process; a durable store keeps `body` only.
    value: Any = None
    #: The name of the item's class; "" for a dict.
    type: str = ""


class ItemRow(msgspec.Struct, frozen=True):
    """A committed item, as sinks receive it."""

    #: The item's number in the run, from 1, without gaps.
    sequence: int
    #: The page that yielded the item, and the item's number on that page.
    fingerprint: int
    ordinal: int
    #: The item as one line of JSON, without the line's end.
    body: bytes
    #: The object that the callback yielded; None for an item of an earlier process.
    value: Any = None
    #: The name of the item's class; "" for a dict.
    type: str = ""

    @property
    def item(self) -> dict[str, Any]:
        """The item's fields as JSON has them, decoded at each call."""
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
    """A part of what a page gave, kept by the store while the page goes on."""

    items: Sequence[Item] = ()
    requests: Sequence[Entry] = ()
    rejected: Sequence[Rejected] = ()


class Facts(msgspec.Struct):
    """What a resumed run must know beside its requests and items.

    An outcome carries the facts that are new with it, and they land with it. The
    store keeps the sum of all that landed.
    """

    #: Hosts that joined the scope while the run went on.
    scope: set[str] = set()
    #: Names of hosts, and origins, of the requests that `start()` gave.
    start_names: set[str] = set()
    start_origins: set[str] = set()
    #: Cookies by (session, domain), each as `Jar.to_json` writes them; the last counts.
    cookies: dict[tuple[str, str], bytes] = {}
    #: Whether `start()` has given all its requests, and they have landed.
    start_ended: bool = False
    #: Cookie walls: URLs that set a cookie and lead back to where a request came from.
    walls: set[str] = set()
    #: Users and passwords of start URLs: `ORIGIN AUTHORIZATION`.
    start_credentials: set[str] = set()
    #: Sessions that are not used any more.
    retired: set[str] = set()
    #: Why the spider has ended the crawl by StopCrawl; empty: it has not.
    stopped: str = ""
    #: How the run ended, once `closing()` has given its items; empty: it has not.
    closed: str = ""
    #: By host: until when a refusal pauses it, in seconds of the wall clock.
    pauses: dict[str, float] = {}
    #: Attributes that the spider's code has set while the run went on, by name.
    attributes: set[str] = set()

    def __bool__(self) -> bool:
        """Whether there is anything to remember."""
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
        """Merge in facts that landed later than these."""
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
    """The head of one exchange, as the counters see it."""

    status: int
    #: "HTTP/1.1" or "HTTP/2".
    http_version: str
    #: Bytes of the body that came over the wire.
    received: int = 0


# Over 12 attributes: a value, all that one visit changes.
class Outcome(msgspec.Struct):
    """The result of one visit: its effects land together or not at all.

    `entry` None: what `start()` yielded. `state` PENDING: tried again at `due`
    (wall-clock seconds), with the entry's `attempt` and `first_tried` as they are now.
    """

    entry: Entry | None
    state: State = State.DONE
    #: A Reason or a filter's name; empty for a page.
    reason: str = ""
    #: One line for people.
    detail: str = ""
    due: float = 0.0
    #: Whether the host was asked: if not, its turn is free for the next request.
    is_asked: bool = True
    #: The answers of the visit in order; none if no head came.
    answers: Sequence[Answer] = ()
    #: For the page log: seconds from the request to the end of the body.
    elapsed: float = 0.0
    #: Portions that the attempt has staged: they land before the items and requests
    #: here if the page is done or failed; else they are dropped. 0: all are dropped.
    portions: int = 0
    items: Sequence[Item] = ()
    #: Of `start()`: how many items it has yielded before these, so that running it
    #: again after a crash names the same items.
    first_ordinal: int = 0
    #: Of `start()`: how many values it has yielded before this one, so that running it
    #: again after a crash counts none of them twice; -1: it is not numbered.
    first_value: int = -1
    #: New requests; `sequence` is given by the store.
    requests: Sequence[Entry] = ()
    #: Links that a filter skipped, each once a run.
    rejected: Sequence[Rejected] = ()
    #: Links that were skipped before they were URLs, by the setting's name.
    cut: Mapping[str, int] = msgspec.field(default_factory=dict)
    #: Items that a pipeline dropped, by reason.
    dropped: Mapping[str, int] = msgspec.field(default_factory=dict)
    #: Facts that a resumed run must know; None: there are none.
    facts: Facts | None = None
    #: Whether the entry waits with other options than those that are stored, such as
    #: another session: they are stored with it.
    is_changed: bool = False
    #: What the spider counted itself. Of `start()`: all that it has counted since its
    #: beginning, so that running it again after a crash counts nothing twice.
    counts: Mapping[str, int] | None = None
    #: Whether `closing()` gave it, which is called once: `entry` is None then.
    is_closing: bool = False
    #: Requests that `self.fetch` made for it; their answers are among `answers`.
    fetched: int = 0

    @property
    def status(self) -> int:
        """The status of the last answer; 0: there was none."""
        return self.answers[-1].status if self.answers else 0

    @property
    def received(self) -> int:
        """Bytes of all bodies that came over the wire."""
        return sum(answer.received for answer in self.answers)


#: Counts Requests that were equal to earlier ones, so that they are not asked again.
DUPLICATE = "duplicate"


def is_built(entry: Entry) -> bool:
    """Whether the spider built the request, rather than followed a link."""
    return entry.found_as in (START, BUILT)


def count_outcome(
    counters: Counters, outcome: Outcome, *, is_again: bool = False
) -> None:
    """Add what an outcome says by itself; the store counts items and new URLs, and by
    `count_start` what `start()` counts. `is_again`: `start()` has yielded this value
    in an earlier process, where it was counted."""
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
    """Add what `start()` has counted beyond what has `landed`; what has landed now."""
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
    """What a commit changed, in addition to what its outcomes asked for."""

    #: Entries that are pending now and were not before, with their `sequence`.
    added: list[Entry] = msgspec.field(default_factory=list)
    #: Pending entries that only the store has, for `take` to give them: by host, from
    #: which place on. Staged requests land so in a store that is stocked.
    stocked: dict[str, Place] = msgspec.field(default_factory=dict)
    #: Pending entries found again at a lower depth: (fingerprint, host, depth).
    lowered: list[tuple[int, str, int]] = msgspec.field(default_factory=list)
    #: What the run has counted, this commit included; not changed afterwards.
    counters: Counters = msgspec.field(default_factory=Counters)
    #: The last item's sequence number in the run so far.
    sequence: int = 0
    #: Outcomes that landed, from the first on; fewer than given only when the limit
    #: on items was reached: the others stay pending.
    landed: int = 0
    is_full: bool = False


class RunStart(msgspec.Struct, frozen=True):
    """Which run to open: its job; and spider and arguments, which must be the same."""

    job: str
    spider: str
    #: The spider's arguments as JSON.
    arguments: str = "{}"
    started: float = 0.0
    fresh: bool = False
    #: Sessions whose cookies a new run takes over from the run before it.
    sessions: tuple[str, ...] = ()
    #: Whether the process may begin a run, publishes and ends it; others only join.
    is_leader: bool = True
    #: Limits on pages and items, which all processes of a shared run keep.
    pages: int | None = None
    items: int | None = None
    #: The version of the spider's code, which all processes of a shared run must have;
    #: "": it does not matter.
    code: str = ""


class Opening(msgspec.Struct):
    """The run that was opened, as the store has it: a new or an unfinished one."""

    run: int
    started: float
    is_resumed: bool = False
    #: Seconds that the run has taken in earlier processes.
    seconds: float = 0.0
    counters: Counters = msgspec.field(default_factory=Counters)
    #: All facts that have landed.
    facts: Facts = msgspec.field(default_factory=Facts)
    #: Hosts with pending entries, and how many.
    hosts: dict[str, int] = msgspec.field(default_factory=dict)
    sequence: int = 0
    #: Pending entries that wait for a later try.
    waiting: int = 0


class Attempt(msgspec.Struct, frozen=True):
    """One line of the page log."""

    time: float
    state: State
    reason: str
    detail: str
    status: int
    elapsed: float
    received: int


# Over 12 attributes: a value, all that `why` shows of a URL.
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
    #: Requests that were equal to this one, and not asked: how many; where one of them
    #: was yielded (a page's URL, "" for `start()`), and its callback.
    duplicates: int = 0
    duplicate_on: str = ""
    duplicate_for: str = ""


class RequestQueue(Protocol):
    """The requests of a run: the known URLs, and which of them are pending."""

    @property
    def is_stocked(self) -> bool:
        """Whether pending entries are kept here, for `take` to give them when a host's
        queue runs low. If not, the frontier must hold all entries of `Committed`."""
        ...

    @property
    def recent(self) -> Mapping[int, int]:
        """Fingerprints that are known to be committed, with their depth. A cache: a
        fingerprint that is missing may be known all the same."""
        ...

    @property
    def rejected(self) -> Mapping[int, str]:
        """Links that a filter skipped, with the filter's name; bounded."""
        ...

    async def take(
        self, host: str, limit: int, without: Collection[int], now: float
    ) -> list[Entry]:
        """At most `limit` pending entries of `host`, the best first, none of them in
        `without`; they stay pending. `now` is monotonic: `due` is translated to it."""
        ...

    async def commit(
        self, outcomes: Sequence[Outcome], *, items_limit: int | None = None
    ) -> Committed:
        """Land `outcomes` in one transaction, in order. StoreError: nothing landed, and
        the same outcomes may be committed again."""
        ...

    async def stage(self, entry: Entry, portion: Portion, number: int) -> None:
        """Keep a part of what a page gives before it ends. `number` counts the portions
        of the attempt; 0 begins anew and drops what was staged for the page before.
        `Outcome.portions` says whether they land."""
        ...


class ItemLog(Protocol):
    """The committed items of a run in order, and how far each sink has written them."""

    async def items_after(self, sequence: int, limit: int) -> list[ItemRow]:
        """At most `limit` committed items in order, from the one after `sequence`."""
        ...

    async def release_items(self, sequence: int) -> None:
        """Items up to `sequence` will not be read again by this process."""
        ...

    async def sink_position(self, sink: str) -> str | None:
        """The position that `set_sink_position` recorded last for `sink`."""
        ...

    async def set_sink_position(self, sink: str, position: str) -> None:
        """Record durably how far `sink` has written."""
        ...


class Store(RequestQueue, ItemLog, Protocol):
    """The state of one run of one job, from `open` to `close`.

    Calls may come from several tasks at once. A store of your own serves a crawl as
    `Crawl(spider, store=...)`.
    """

    @property
    def is_durable(self) -> bool:
        """Whether the state outlives the process, so that a run can be resumed."""
        ...

    async def sink_positions(self, job: str) -> list[str]:
        """The last positions of all sinks in all runs of the job that are kept: which
        outputs the job has written. May be called before `open`. StateError: the state
        is damaged."""
        ...

    async def open(self, start: RunStart) -> Opening:
        """Open the job's unfinished run, or a new one."""
        ...

    def file_table(self, job: str) -> FileTable:
        """The files that items of the job have named, in all its runs. The caller
        closes the table."""
        ...

    async def explain(self, fingerprint: int) -> Explanation | None:
        """All that is known of one URL; None: nothing."""
        ...

    async def note(self, status: Status) -> None:
        """Record where the run stands, for readers; called about once a second. It may
        be written later, with the next commit: it may be lost."""
        ...

    async def finish(self, reason: str, report: bytes) -> None:
        """Record that the run is complete, with its report: it is not resumed."""
        ...

    async def close(self, seconds: float, *, is_begun: bool = True) -> None:
        """Close; `seconds` is how long the run has taken in all. An unfinished run
        is resumed by the next `open`; a new run that was not begun is forgotten."""
        ...
