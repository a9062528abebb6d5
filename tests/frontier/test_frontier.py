"""The frontier: the order of entries, and the times from which they may be taken."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field
from itertools import count
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crawler.frontier.frontier import WINDOW, Frontier
from crawler.frontier.host_pace import HostPace, Pace
from crawler.frontier.kind_lines import KindLines

NO_LIMIT = Pace(per_host=1000, rate=0)


@dataclass(slots=True, eq=False)
class Page:
    """An entry as the frontier sees it."""

    host: str = "a.example"
    priority: int = 0
    depth: int = 0
    due: float = 0.0
    scheme: str = "https"
    fingerprint: int = field(default_factory=count(1).__next__)
    sequence: int = field(default_factory=count(1).__next__)
    kind: str = ""

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}/{self.fingerprint}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}"


def frontier_of(
    *pages: Page, pace: Pace = NO_LIMIT, window: int = 64, limit: int = 1_000
) -> Frontier[Page]:
    hosts = HostPace(lambda host: pace)
    frontier: Frontier[Page] = Frontier(hosts, window=window, limit=limit)
    for page in pages:
        frontier.push(page)
    return frontier


def drawn(frontier: Frontier[Page], now: float) -> list[Page]:
    pages = []
    while (page := frontier.pop(now)) is not None:
        pages.append(page)
    return pages


def test_an_empty_frontier_returns_no_entry_and_no_due_time() -> None:
    frontier = frontier_of()

    assert frontier.pop(1.0) is None
    assert frontier.next_time(1.0) is None
    assert len(frontier) == 0


def test_entries_of_a_host_are_ordered_by_priority_then_depth_then_arrival() -> None:
    last = Page(depth=2)
    late, later = Page(depth=1), Page(depth=1)
    first = Page(depth=9, priority=1)
    frontier = frontier_of(last, late, later, first)

    assert drawn(frontier, 1.0) == [first, late, later, last]


def test_an_entry_that_is_put_back_keeps_its_position() -> None:
    first, second = Page(), Page()
    frontier = frontier_of(first, second)

    popped = frontier.pop(1.0)
    assert popped is first
    frontier.release(popped.host, 1.0, asked=False)
    frontier.push(popped)

    assert drawn(frontier, 1.0) == [first, second]


def test_hosts_take_turns() -> None:
    pages = [Page(host=f"{name}.example") for name in "aaabbbccc"]
    frontier = frontier_of(*pages)

    assert [page.host[0] for page in drawn(frontier, 1.0)] == list("abcabcabc")


def test_a_new_host_waits_for_its_turn() -> None:
    frontier = frontier_of(Page(host="a"), Page(host="a"), Page(host="b"))
    frontier.pop(1.0)

    frontier.push(Page(host="c"))

    assert [page.host for page in drawn(frontier, 1.0)] == ["b", "a", "c"]


def test_the_host_with_the_highest_priority_comes_first() -> None:
    frontier = frontier_of(Page(host="a"), Page(host="b"))

    frontier.push(Page(host="b", priority=5))

    assert [page.host for page in drawn(frontier, 1.0)] == ["b", "a", "b"]


def test_a_slow_host_occupies_no_more_workers_than_its_ceiling() -> None:
    slow = [Page(host="slow") for _ in range(5)]
    quick = [Page(host="quick") for _ in range(2)]
    frontier = frontier_of(*slow, *quick, pace=Pace(per_host=2, rate=0))

    hosts = [page.host for page in drawn(frontier, 1.0)]

    assert sorted(hosts) == ["quick", "quick", "slow", "slow"]
    assert frontier.next_time(1.0) is None
    frontier.release("slow", 2.0)
    assert frontier.next_time(2.0) == 2.0
    assert len(drawn(frontier, 2.0)) == 1


def test_a_host_at_its_ceiling_by_another_name_continues_when_a_request_ends() -> None:
    bare, www = Page("site.example"), Page("www.site.example")
    frontier = frontier_of(bare, www, pace=Pace(per_host=1, rate=0))
    assert frontier.pop(1.0) is bare
    assert frontier.pop(1.0) is None
    assert frontier.next_time(1.0) is None

    frontier.release("site.example", 2.0)

    assert frontier.pop(2.0) is www


def test_a_host_waits_between_two_requests() -> None:
    frontier = frontier_of(Page(), Page(), pace=Pace(rate=2.0))

    assert frontier.pop(10.0) is not None
    assert frontier.pop(10.0) is None
    assert frontier.next_time(10.0) == 10.5
    assert frontier.pop(10.4) is None
    assert frontier.pop(10.5) is not None


def test_a_retry_waits_for_its_due_time() -> None:
    retry, page = Page(due=30.0, priority=1), Page()
    frontier = frontier_of(retry, page)

    assert drawn(frontier, 1.0) == [page]
    assert frontier.next_time(1.0) == 30.0
    assert drawn(frontier, 29.9) == []
    assert drawn(frontier, 30.0) == [retry]


def test_a_retry_that_is_due_comes_by_its_priority() -> None:
    retry = Page(host="b", due=5.0, priority=1)
    frontier = frontier_of(Page(host="a"), Page(host="b"), Page(host="a"), retry)
    frontier.pop(1.0)

    assert frontier.pop(5.0) is retry


def test_a_pause_of_the_host_delays_its_next_entry() -> None:
    hosts = HostPace(lambda host: Pace(rate=1.0))
    frontier: Frontier[Page] = Frontier(hosts)
    frontier.push(Page())
    frontier.push(Page())
    frontier.pop(1.0)

    hosts.pause("a.example", 60.0, 1.5)

    assert frontier.pop(2.0) is None
    assert frontier.next_time(2.0) == 60.0
    assert frontier.pop(60.0) is not None


def test_an_unused_turn_goes_to_the_next_entry_at_once() -> None:
    frontier = frontier_of(Page(), Page(), pace=Pace(rate=1.0))
    page = frontier.pop(1.0)
    assert page is not None

    frontier.release(page.host, 1.0, asked=False)

    assert frontier.pop(1.0) is not None
    assert frontier.pop(1.5) is None


def test_a_held_origin_returns_no_entry_until_it_is_resumed() -> None:
    secure, plain = Page(), Page(scheme="http")
    frontier = frontier_of(secure, plain)

    frontier.hold(secure.origin, 1.0)

    assert drawn(frontier, 1.0) == [plain]
    assert frontier.next_time(1.0) is None
    frontier.resume(secure.origin, 2.0)
    assert drawn(frontier, 2.0) == [secure]


def test_an_origin_held_until_a_time_is_resumed_at_that_time() -> None:
    page = Page()
    frontier = frontier_of(page)

    frontier.hold(page.origin, 1.0, until=90.0)

    assert frontier.open_hosts() == 0
    assert frontier.next_time(1.0) == 90.0
    assert frontier.pop(89.0) is None
    assert frontier.pop(90.0) is page


def test_a_hold_applies_to_entries_that_are_added_later() -> None:
    page = Page()
    frontier = frontier_of()
    frontier.hold(page.origin, 1.0)

    frontier.push(page)

    assert frontier.pop(1.0) is None
    frontier.resume(page.origin, 1.0)
    assert frontier.pop(1.0) is page


def test_an_entry_of_a_held_origin_gives_its_host_no_precedence() -> None:
    held = Page("a", priority=2, scheme="http")
    urgent, plain = Page("b", priority=1), Page("a")
    frontier = frontier_of(plain, urgent)
    frontier.hold(held.origin, 1.0)

    frontier.push(held)

    assert drawn(frontier, 1.0) == [urgent, plain]


def test_an_entry_added_during_a_hold_is_returned_when_the_hold_ends() -> None:
    held, plain = Page("a", scheme="http"), Page("a")
    frontier = frontier_of(plain)
    frontier.hold(held.origin, 1.0, until=9.0)

    frontier.push(held)

    assert drawn(frontier, 1.0) == [plain]
    assert frontier.next_time(1.0) == 9.0
    assert frontier.pop(9.0) is held


def test_an_entry_found_again_at_a_lower_depth_takes_the_lower_depth() -> None:
    deep, other = Page(depth=5), Page(depth=3)
    frontier = frontier_of(deep, other)

    assert frontier.lower(deep.fingerprint, 1)
    assert not frontier.lower(deep.fingerprint, 4)
    assert not frontier.lower(12345678, 0)

    assert drawn(frontier, 1.0) == [deep, other]
    assert deep.depth == 1
    assert len(frontier) == 0


def test_the_depth_of_a_waiting_entry_may_be_lowered_too() -> None:
    deep, other = Page(depth=5, due=9.0), Page(depth=3, due=9.0)
    frontier = frontier_of(deep, other)

    frontier.lower(deep.fingerprint, 1)

    assert drawn(frontier, 9.0) == [deep, other]


def test_an_entry_that_was_lowered_and_pushed_again_is_returned_again() -> None:
    page, other = Page(depth=5), Page(depth=2)
    frontier = frontier_of(page, other)
    frontier.lower(page.fingerprint, 1)
    assert frontier.pop(1.0) is page

    page.depth = 5
    frontier.push(page)

    assert drawn(frontier, 1.0) == [other, page]


def test_pushing_a_known_entry_again_changes_nothing() -> None:
    page = Page()
    frontier = frontier_of(page, page)

    assert len(frontier) == 1
    assert drawn(frontier, 1.0) == [page]


def test_a_host_is_open_while_one_of_its_entries_may_be_returned() -> None:
    paces = {"rests": Pace(rate=2.0), "full": Pace(1, 0), "free": Pace(4, 0)}
    hosts = HostPace(paces.__getitem__)
    frontier: Frontier[Page] = Frontier(hosts)
    for host in paces:
        frontier.push(Page(host=host))
        frontier.push(Page(host=host))
    assert frontier.open_hosts() == 3

    for _ in paces:
        frontier.pop(1.0)

    assert frontier.open_hosts() == 1
    frontier.release("full", 1.0)
    assert frontier.open_hosts() == 2
    frontier.next_time(1.5)
    assert frontier.open_hosts() == 3
    drawn(frontier, 1.5)
    assert frontier.open_hosts() == 0


def test_a_host_with_only_entries_of_a_full_kind_is_not_open() -> None:
    hosts = HostPace(lambda host: NO_LIMIT)
    frontier = Frontier(hosts, kinds=kinds_of(browser=1))
    for host in "abc":
        frontier.push(Page(host, kind="browser"))
    assert frontier.open_hosts() == 3

    frontier.pop(1.0)

    assert frontier.open_hosts() == 0
    frontier.push(Page("d"))
    assert frontier.open_hosts() == 1


def test_hosts_without_entries_are_forgotten() -> None:
    hosts = HostPace(lambda host: Pace(rate=0))
    frontier: Frontier[Page] = Frontier(hosts)
    for number in range(1000):
        frontier.push(Page(host=f"h{number}"))
        page = frontier.pop(float(number))
        assert page is not None
        frontier.release(page.host, float(number))

    assert frontier.share == WINDOW  # as for one host
    assert len(hosts) < 10


# -- a window of what the store holds


def test_new_entries_beyond_the_window_of_a_host_are_left_to_the_store() -> None:
    frontier = frontier_of(window=3)

    taken = [frontier.offer(Page(depth=1)) for _ in range(5)]

    assert taken == [True, True, True, False, False]
    assert frontier.offer(Page(depth=0))
    assert frontier.offer(Page(host="b", depth=1))


def test_a_host_with_few_entries_in_memory_is_reported_once() -> None:
    frontier = frontier_of(*(Page() for _ in range(3)), window=8)
    frontier.stock("a.example", True)
    assert frontier.hungry(10) == []

    frontier.pop(1.0)

    assert frontier.is_hungry
    assert frontier.hungry(10) == ["a.example"]
    assert frontier.hungry(10) == []
    assert not frontier.is_hungry


def test_lowered_entries_are_returned_once_each() -> None:
    pages = [Page(depth=depth) for depth in (5, 6, 7, 8)]
    frontier = frontier_of(*pages)

    for depth, page in enumerate(reversed(pages)):
        assert frontier.lower(page.fingerprint, depth)

    assert drawn(frontier, 10.0) == pages[::-1]
    assert len(frontier) == 0
    assert frontier.next_time(10.0) is None


def test_a_host_without_entries_in_the_store_is_never_reported_as_hungry() -> None:
    frontier = frontier_of(*[Page() for _ in range(3)])

    assert len(drawn(frontier, 10.0)) == 3

    assert not frontier.is_hungry


def test_a_full_frontier_reports_no_hungry_host() -> None:
    frontier = frontier_of(limit=1)
    frontier.stock("b.example", True)
    assert frontier.is_hungry

    frontier.push(Page())

    assert not frontier.is_hungry


def test_hosts_with_entries_only_in_the_store_are_hungry() -> None:
    frontier = frontier_of()
    for name in "abc":
        frontier.stock(name, True)

    assert frontier.has_stock()
    assert frontier.hungry(2) == ["a", "b"]
    assert not frontier.offer(Page(host="c"))
    frontier.stock("c", False)
    assert frontier.hungry(2) == []
    assert frontier.offer(Page(host="c"))


def test_a_frontier_has_no_more_entries_than_its_limit() -> None:
    frontier = frontier_of(limit=20)

    taken = [frontier.offer(Page(host=f"h{number}")) for number in range(30)]

    assert taken == [True] * 20 + [False] * 10
    assert len(frontier) == 20
    assert frontier.hungry(100) == []  # there is no room for them
    drawn(frontier, 1.0)
    assert frontier.hungry(100) == [f"h{number}" for number in range(20, 30)]


def test_large_hosts_leave_room_for_a_host_without_entries_in_memory() -> None:
    frontier = frontier_of(window=40, limit=80)
    for number in range(80):
        frontier.offer(Page(host=f"large{number % 2}"))
    assert len(frontier) == 80

    for number in range(5):
        frontier.offer(Page(host=f"small{number}"))

    assert 10 < len(frontier) < 60
    assert frontier.hungry(1) == ["small0"]


def test_with_more_hosts_each_host_has_fewer_entries_in_memory() -> None:
    frontier = frontier_of(limit=80)
    assert frontier.share == 64

    for number in range(10):
        frontier.stock(f"h{number}", True)

    assert frontier.share == 8
    assert len(frontier.hungry(100)) == 10


def test_better_entries_replace_others_in_the_window() -> None:
    frontier = frontier_of(window=4)
    pages = [Page(priority=number // 4) for number in range(40)]
    for page in pages:
        frontier.offer(page)

    assert len(frontier) <= 8
    best = drawn(frontier, 1.0)[:4]
    assert best == pages[36:]
    assert frontier.hungry(1) == ["a.example"]


def test_entries_left_to_the_store_during_a_load_are_loaded_later() -> None:
    frontier = frontier_of(window=4)
    for _ in range(5):
        frontier.offer(Page())
    frontier.held("a.example")  # the store is asked for others
    for _ in range(8):
        frontier.offer(Page(priority=1))

    frontier.stock("a.example", False)

    assert frontier.has_stock()


class Kept:
    """A store as small as can be, and the frontier that holds a window of it."""

    def __init__(self, window: int, limit: int) -> None:
        self.frontier = frontier_of(window=window, limit=limit)
        self.pending: dict[int, Page] = {}
        self.asked: tuple[str, set[int]] | None = None
        self.given: list[Page] = []

    def add(self, page: Page) -> None:
        self.pending[page.fingerprint] = page
        self.frontier.offer(page)

    def keep(self, *pages: Page) -> None:
        """Pages that come to the store alone."""
        self.pending.update((page.fingerprint, page) for page in pages)
        hosts = {page.host for page in pages}
        for host in hosts:
            places = [
                (-it.priority, it.depth, it.sequence) for it in pages if it.host == host
            ]
            self.frontier.leave(host, min(places))

    def pop(self) -> bool:
        page = self.frontier.pop(1.0)
        if page is None:
            return False
        self.frontier.release(page.host, 1.0)
        self.given.append(page)
        del self.pending[page.fingerprint]
        return True

    def ask(self) -> bool:
        """Begin to load a host that runs low; other things happen before `load`."""
        names = [] if self.asked else self.frontier.hungry(1)
        for name in names:
            self.asked = name, self.frontier.held(name)
        return bool(names)

    def load(self) -> None:
        if self.asked is None:
            return
        (name, held), self.asked = self.asked, None
        kept = [it for it in self.pending.values() if it.host == name]
        kept.sort(key=lambda it: (-it.priority, it.depth, it.sequence))
        share = self.frontier.share
        found = [it for it in kept if it.fingerprint not in held][:share]
        for page in found:
            self.frontier.push(page)
        self.frontier.stock(name, len(found) == share)


@given(st.randoms(use_true_random=False), st.integers(1, 5), st.integers(4, 30))
@settings(max_examples=100, deadline=None)
def test_all_entries_in_the_store_are_returned_once(
    dice: Random, window: int, limit: int
) -> None:
    kept, number = Kept(window, limit), 0
    for _ in range(dice.randrange(300)):
        match dice.choice("aaappslk"):
            case "k":
                pages = [
                    Page(dice.choice("abc"), dice.randrange(3), dice.randrange(3))
                    for _ in range(dice.randrange(1, 9))
                ]
                kept.keep(*pages)
                number += len(pages)
            case "a":
                host, priority = dice.choice("abcdefgh"), dice.randrange(3)
                kept.add(Page(host, priority, dice.randrange(3)))
                number += 1
            case "p":
                kept.pop()
            case "s":
                kept.ask()
            case _:
                kept.load()
        assert len(kept.frontier) <= limit + 2 * window

    kept.load()
    while kept.pop() or kept.ask():
        kept.load()

    assert not kept.pending
    assert not kept.frontier.has_stock()
    assert len(kept.given) == len({page.fingerprint for page in kept.given}) == number


def test_a_host_with_entries_only_in_the_store_is_hungry() -> None:
    frontier = frontier_of()

    frontier.leave("a.example", (0, 1, 7))

    assert frontier.has_stock()
    assert frontier.hungry(10) == ["a.example"]
    assert not frontier.offer(Page(depth=2))


def test_entries_after_those_loaded_from_the_store_are_left_to_it() -> None:
    best, worst = Page(priority=2), Page(priority=0)
    frontier = frontier_of(best, worst)

    frontier.leave("a.example", (-1, 0, 9))

    assert frontier.pop(1.0) is best
    frontier.release("a.example", 1.0)
    assert frontier.pop(1.0) is None
    assert frontier.held("a.example") == set()


def test_waiting_entries_do_not_displace_others() -> None:
    frontier = frontier_of(*(Page(due=9.0) for _ in range(8)), window=4)
    frontier.stock("a.example", True)
    assert frontier.hungry(1) == ["a.example"]

    assert frontier.offer(Page(priority=1))
    frontier.stock("a.example", True)

    assert frontier.hungry(1) == ["a.example"]


def test_held_returns_the_entries_of_a_host_in_memory() -> None:
    here, later, other = Page(), Page(due=9.0), Page(host="b")
    frontier = frontier_of(here, later, other)

    assert frontier.held("a.example") == {here.fingerprint, later.fingerprint}
    assert frontier.held("nowhere") == set()


# -- ceilings by kind of fetch


def kinds_of(**ceilings: int) -> KindLines[Page]:
    return KindLines(ceilings)


def browsed(host: str = "a.example", priority: int = 0, due: float = 0.0) -> Page:
    return Page(host, priority, due=due, kind="browser")


def bounded(
    *pages: Page, pace: Pace = NO_LIMIT, **ceilings: int
) -> tuple[Frontier[Page], KindLines[Page]]:
    kinds = kinds_of(**ceilings)
    frontier: Frontier[Page] = Frontier(HostPace(lambda host: pace), kinds=kinds)
    for page in pages:
        frontier.push(page)
    return frontier, kinds


def test_a_kind_has_at_most_its_ceiling_of_requests_in_flight() -> None:
    pages = [browsed(host=name) for name in "abcd"]
    frontier, kinds = bounded(*pages, browser=2)

    assert drawn(frontier, 1.0) == pages[:2]
    assert frontier.next_time(1.0) is None
    kinds.give_back("browser")

    assert frontier.next_time(1.0) == 1.0
    assert drawn(frontier, 1.0) == pages[2:3]


def test_a_full_kind_does_not_delay_other_entries_of_its_host() -> None:
    first, second, plain = browsed(), browsed(), Page(depth=3)
    other = Page(depth=4, kind="player")
    frontier, _ = bounded(first, second, plain, other, browser=1)

    assert drawn(frontier, 1.0) == [first, plain, other]


def test_entries_of_a_kind_keep_the_order_of_their_host_while_there_is_room() -> None:
    pages = [Page(), browsed(), Page(), browsed()]
    frontier, _ = bounded(*pages, browser=9)

    assert drawn(frontier, 1.0) == pages


def test_hosts_of_a_kind_take_turns_by_priority_then_by_age() -> None:
    pages = [browsed("a"), Page("b"), browsed("c"), browsed("d", priority=1)]
    frontier, kinds = bounded(*pages, browser=1)
    hosts = []

    for _ in pages:
        page = frontier.pop(1.0)
        assert page is not None
        hosts.append(page.host)
        kinds.give_back(page.kind)

    assert hosts == ["d", "a", "b", "c"]


def test_an_entry_of_a_full_kind_that_becomes_due_is_returned_when_there_is_room() -> (
    None
):
    out, late = browsed("a"), browsed("b", due=5.0)
    frontier, kinds = bounded(out, late, browser=1)
    assert frontier.pop(1.0) is out

    assert frontier.pop(6.0) is None
    kinds.give_back("browser")

    assert frontier.pop(6.0) is late


def test_an_entry_of_a_full_kind_also_waits_for_its_host() -> None:
    first, second = browsed(), browsed()
    frontier, kinds = bounded(first, second, pace=Pace(rate=0.1), browser=1)
    assert frontier.pop(1.0) is first
    kinds.give_back("browser")

    assert frontier.pop(5.0) is None
    assert frontier.next_time(5.0) == 11.0
    assert frontier.pop(11.0) is second


def test_a_hold_applies_to_entries_of_every_kind() -> None:
    page, plain = browsed(), Page()
    frontier, _ = bounded(browser=2)
    frontier.hold(page.origin, 1.0)
    frontier.push(page)
    frontier.push(plain)

    assert drawn(frontier, 1.0) == []
    frontier.resume(page.origin, 1.0)

    assert drawn(frontier, 1.0) == [page, plain]


def test_the_depth_of_an_entry_of_a_kind_may_be_lowered() -> None:
    deep, other = Page(depth=5, kind="browser"), Page(depth=3, kind="browser")
    frontier, _ = bounded(deep, other, browser=2)

    frontier.lower(deep.fingerprint, 1)

    assert drawn(frontier, 1.0) == [deep, other]


def test_requests_without_a_kind_may_have_a_ceiling_too() -> None:
    kinds: KindLines[Page] = KindLines({"": 1})
    frontier: Frontier[Page] = Frontier(HostPace(lambda host: NO_LIMIT), kinds=kinds)
    pages = [Page(), Page(), browsed()]
    for page in pages:
        frontier.push(page)

    assert drawn(frontier, 1.0) == [pages[0], pages[2]]


def test_hosts_that_wait_for_a_kind_cost_nothing_for_other_hosts() -> None:
    waiting = [browsed(f"w{number}") for number in range(300)]
    frontier, _ = bounded(browsed(), *waiting, browser=1)
    frontier.pop(1.0)
    tracemalloc.start()
    for _ in range(3000):
        frontier.push(Page("w7"))
        page = frontier.pop(1.0)
        assert page is not None
        frontier.release(page.host, 1.0)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size < 100_000  # records in lines that are not looked at are cleared out


# -- properties


HOSTS = ["a", "b", "c"]
CEILINGS = {"browser": 2, "player": 1}


class FrontierMachine(RuleBasedStateMachine):
    """The frontier beside a model that looks at everything."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1.0
        self.paces = {"a": Pace(2, 0), "b": Pace(1, 4), "c": Pace(3, 0.5)}
        self.hosts = HostPace(self.paces.__getitem__)
        self.kinds: KindLines[Page] = KindLines(CEILINGS)
        self.frontier: Frontier[Page] = Frontier(self.hosts, window=4, kinds=self.kinds)
        self.pending: dict[int, Page] = {}
        self.out: list[Page] = []
        self.last: dict[str, float] = {}
        self.held: dict[str, float] = {}
        self.paused: dict[str, float] = {}
        self.served: dict[str, int] = {}
        self.turns = count(1)

    @rule(
        host=st.sampled_from(HOSTS),
        priority=st.integers(0, 2),
        depth=st.integers(0, 3),
        scheme=st.sampled_from(["http", "https"]),
        due_in=st.sampled_from([None, None, 0.1, 1.0, 7.0]),
        kind=st.sampled_from(["", "", "browser", "player", "free"]),
    )
    def push(
        self,
        host: str,
        priority: int,
        depth: int,
        scheme: str,
        due_in: float | None,
        kind: str,
    ) -> None:
        due = 0.0 if due_in is None else self.now + due_in
        page = Page(host, priority, depth, due, scheme, kind=kind)
        self.pending[page.fingerprint] = page
        self.frontier.push(page)

    @rule(seconds=st.sampled_from([0.0, 0.1, 0.25, 1.0, 10.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(host=st.sampled_from(HOSTS), scheme=st.sampled_from(["http", "https"]))
    def hold(self, host: str, scheme: str) -> None:
        self.held[f"{scheme}://{host}"] = float("inf")
        self.frontier.hold(f"{scheme}://{host}", self.now)

    @rule(host=st.sampled_from(HOSTS), seconds=st.sampled_from([0.3, 3.0]))
    def hold_for(self, host: str, seconds: float) -> None:
        self.held[f"https://{host}"] = self.now + seconds
        self.frontier.hold(f"https://{host}", self.now, self.now + seconds)

    @rule(host=st.sampled_from(HOSTS), scheme=st.sampled_from(["http", "https"]))
    def resume(self, host: str, scheme: str) -> None:
        self.held.pop(f"{scheme}://{host}", None)
        self.frontier.resume(f"{scheme}://{host}", self.now)

    @rule(host=st.sampled_from(HOSTS), seconds=st.sampled_from([0.2, 2.0]))
    def pause(self, host: str, seconds: float) -> None:
        until = max(self.paused.get(host, 0.0), self.now + seconds)
        self.paused[host] = until
        self.hosts.pause(host, self.now + seconds, self.now)

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), depth=st.integers(0, 2))
    def lower(self, data: st.DataObject, depth: int) -> None:
        page = data.draw(st.sampled_from(list(self.pending.values())))
        is_lower = depth < page.depth

        assert self.frontier.lower(page.fingerprint, depth) == is_lower
        assert page.depth <= depth or not is_lower

    @precondition(lambda self: self.out)
    @rule(data=st.data(), asked=st.booleans())
    def release(self, data: st.DataObject, asked: bool) -> None:
        page = data.draw(st.sampled_from(self.out))
        self.out.remove(page)
        self.frontier.release(page.host, self.now, asked=True)
        self.kinds.give_back(page.kind)
        if not asked:
            self.pending[page.fingerprint] = page
            self.frontier.push(page)

    @rule()
    def pop(self) -> None:
        free = [page for page in self.pending.values() if self.may_go(page)]
        page = self.frontier.pop(self.now)
        if page is None:
            assert not free
            return
        assert page in free
        assert page.priority == max(other.priority for other in free)
        rank = (-page.priority, page.depth, page.sequence)
        for other in free:
            if other.host == page.host:
                assert rank <= (-other.priority, other.depth, other.sequence)
        del self.pending[page.fingerprint]
        self.out.append(page)
        self.last[page.host] = self.now

    def may_go(self, page: Page) -> bool:
        ceiling = CEILINGS.get(page.kind)
        of_kind = sum(other.kind == page.kind for other in self.out)
        return self.host_lets(page) and (ceiling is None or of_kind < ceiling)

    def host_lets(self, page: Page) -> bool:
        """Whether it may go as far as its host and its kind's ceiling aside."""
        pace = self.paces[page.host]
        interval = 1 / pace.rate if pace.rate else 0.0
        out = sum(other.host == page.host for other in self.out)
        return (
            out < pace.per_host
            and page.due <= self.now
            and self.held.get(page.origin, 0.0) <= self.now
            and self.paused.get(page.host, 0.0) <= self.now
            and self.last.get(page.host, -1e9) + interval <= self.now
        )

    @invariant()
    def knows_how_many_it_holds(self) -> None:
        assert len(self.frontier) == len(self.pending)
        free = {page.host for page in self.pending.values() if self.may_go(page)}
        self.frontier.next_time(self.now)  # hosts that have rested are filed anew
        assert len(free) <= self.frontier.open_hosts() <= len(HOSTS)

    @invariant()
    def tells_the_truth_about_the_next_time(self) -> None:
        time = self.frontier.next_time(self.now)
        before = self.now
        free = any(self.may_go(page) for page in self.pending.values())
        assert free == (time == self.now)
        if time is not None and time > self.now:
            self.now = time  # too early only where a kind is full
            assert any(self.host_lets(page) for page in self.pending.values())
        elif time is None:
            self.now += 1e6
            assert not any(self.may_go(page) for page in self.pending.values())
        self.now = before


TestFrontierMachine = FrontierMachine.TestCase
TestFrontierMachine.settings = settings(max_examples=100, stateful_step_count=50)


@given(
    rate=st.sampled_from([0.5, 3.0, 10.0, 64.0]),
    delays=st.lists(st.floats(0, 0.5), min_size=1, max_size=60),
)
@settings(max_examples=50)
def test_no_second_has_more_requests_than_the_rate_plus_one(
    rate: float, delays: list[float]
) -> None:
    pages = [Page() for _ in delays]
    frontier = frontier_of(*pages, pace=Pace(per_host=1000, rate=rate))
    now, times = 1.0, []
    for delay in delays:
        now = max(now + delay, frontier.next_time(now + delay) or 0.0)
        assert frontier.pop(now) is not None
        times.append(now)

    for start in times:
        assert sum(start <= time < start + 1.0 for time in times) <= rate + 1
    for number, time in enumerate(times):
        assert time >= times[0] + number / rate - 1e-6


def test_repeated_holds_of_a_host_leave_no_records() -> None:
    frontier = frontier_of(Page(), Page(host="b", priority=1))
    tracemalloc.start()
    for _ in range(3000):
        frontier.hold("https://a.example", 1.0)
        frontier.resume("https://a.example", 1.0)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size < 100_000
    assert [page.host for page in drawn(frontier, 1.0)] == ["b", "a.example"]


def test_outdated_records_do_not_accumulate() -> None:
    frontier = frontier_of(Page(due=1e6))
    tracemalloc.start()
    for _ in range(3000):
        frontier.push(Page())
        page = frontier.pop(1.0)
        assert page is not None
        frontier.release(page.host, 1.0, asked=False)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size < 100_000
