"""Signals to `crawl run`."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from crawler import Spider
from crawler.cli.running import perform
from crawler.cli.stopping import ECHO, END_SECONDS, HELD_SECONDS
from crawler.cli.views import QuietView
from crawler.run.options import RunOptions
from crawler.settings import Settings, StorageSettings
from tests.cli.sites import (
    PATIENCE,
    SHOP,
    crawl,
    environment,
    serving,
    starting,
    wait_for_request,
    write_spider,
)

ORDERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def lines_until(process: subprocess.Popen[str], text: str) -> str:
    """What it says on standard error, up to a line that holds `text`."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if text in line:
            return said
    raise AssertionError(f"{text!r} was never said, but: {said}")


def insist(process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C until it has ended, each time after the echo of the last one."""
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(ECHO + 0.1)


def ends_at_a_signal(url: str, *, is_trying: bool) -> list[str]:
    """What a process says that waits for a run and gets a signal: while it waits, or
    while it tries to join."""
    said: list[str] = []
    sent = anyio.Event()

    class Books(Spider):
        name = "books"

    class Heard(QuietView):
        def say(self, text: str) -> None:
            said.append(text)
            if not is_trying and "waiting for" in text:
                os.kill(os.getpid(), signal.SIGTERM)
                sent.set()

    async def send() -> None:
        # Before it handles the signal, this would end the tests.
        while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            await anyio.lowlevel.checkpoint()
        os.kill(os.getpid(), signal.SIGTERM)
        sent.set()

    async def main() -> None:
        settings = Settings(storage=StorageSettings(url=url))
        terms = RunOptions(job="books", outputs=(), joins=True)
        async with anyio.create_task_group() as tasks:
            if is_trying:
                tasks.start_soon(send)
            with anyio.fail_after(PATIENCE):
                await perform(Books(), settings, terms, Heard())

    with pytest.raises(BaseException) as caught:  # noqa: PT011
        anyio.run(main)
    assert sent.is_set()
    left = caught.value
    while isinstance(left, BaseExceptionGroup):
        left = left.exceptions[0]
    assert isinstance(left, KeyboardInterrupt)
    return said


def test_a_process_that_waits_for_a_run_ends_on_a_signal(database: str) -> None:
    first, last = ends_at_a_signal(database, is_trying=False)

    assert "waiting for `crawl run`" in first
    assert last == "SIGTERM: the process ends"


def test_a_signal_while_a_process_tries_to_join_is_not_lost(database: str) -> None:
    assert "SIGTERM: the process ends" in ends_at_a_signal(database, is_trying=True)


@pytest.mark.parametrize("number", ORDERS)
def test_the_first_signal_finishes_pages_in_flight_and_the_run_can_resume(
    tmp_path: Path, number: signal.Signals
) -> None:
    with serving(SHOP, hold=("/two",)) as site:
        write_spider(tmp_path, site.url)
        with starting(tmp_path, "run", "books") as process:
            wait_for_request(site, process)
            process.send_signal(number)
            said = lines_until(process, number.name)
            site.held["/two"].set()
            _, rest = process.communicate(timeout=PATIENCE)
        part = (tmp_path / "out" / "books-1.jsonl.part").read_text()
        again = crawl(tmp_path, "run", "books")

    assert process.returncode == 4, said + rest
    assert "pages in flight have up to 10 s" in said
    assert rest.splitlines()[-1] == (
        "3 items so far, in out/books-1.jsonl.part; resume with: crawl run books"
    )
    assert len(part.splitlines()) == 3
    assert again.returncode == 0, again.stderr
    assert "resuming run 1: 3 done, 0 pending, 0 waiting" in again.stderr
    assert sorted(site.asked) == ["/", "/one", "/two"]
    titles = [
        json.loads(line)["title"]
        for line in (tmp_path / "out" / "books-1.jsonl").read_text().splitlines()
    ]
    assert sorted(titles) == ["One", "Shop", "Two"]


def test_a_signal_that_arrives_twice_at_once_counts_once(tmp_path: Path) -> None:
    with serving(SHOP, hold=("/two",)) as site:
        write_spider(tmp_path, site.url)
        with starting(tmp_path, "run", "books") as process:
            wait_for_request(site, process)
            for _ in range(2):  # as `timeout` does: to the process, and to its group
                process.send_signal(signal.SIGTERM)
            said = lines_until(process, "SIGTERM")
            site.held["/two"].set()
            _, rest = process.communicate(timeout=PATIENCE)

    assert process.returncode == 4
    assert "Stopping at once" not in said + rest
    assert "3 items so far" in rest


def test_the_second_signal_stops_at_once_and_the_page_is_requested_again(
    tmp_path: Path,
) -> None:
    with serving(SHOP, hold=("/two",)) as site:
        write_spider(tmp_path, site.url)
        with starting(tmp_path, "run", "books", "-s", "crawl.grace=1h") as process:
            wait_for_request(site, process)
            process.send_signal(signal.SIGINT)
            lines_until(process, "Repeat the signal to stop at once")
            insist(process)
            _, rest = process.communicate(timeout=PATIENCE)
        site.held["/two"].set()
        again = crawl(tmp_path, "run", "books", "-q")

    assert process.returncode == 4, rest
    assert "Stopping at once" in rest
    assert "Traceback" not in rest
    assert again.returncode == 0, again.stderr
    assert site.asked.count("/two") == 2
    assert len((tmp_path / "out" / "books-1.jsonl").read_text().splitlines()) == 3


HOLDS = {
    "sleeps": "time.sleep(60)",
    "computes": "while True: pass",
    "reads": "socket.create_server(('127.0.0.1', 0)).accept()",
}


@pytest.mark.parametrize("how", HOLDS)
def test_the_second_signal_ends_a_callback_that_blocks_the_loop(
    tmp_path: Path, how: str
) -> None:
    spider = tmp_path / "endless.py"
    with serving(SHOP) as site:
        spider.write_text(
            "import socket, sys, time\n"
            "from crawler import Spider\n"
            "class Endless(Spider):\n"
            "    name = 'endless'\n"
            f"    start_urls = ['{site.url}/']\n"
            "    def parse(self, response):\n"
            "        print('held', file=sys.stderr, flush=True)\n"
            f"        {HOLDS[how]}\n"
        )
        with starting(tmp_path, "run", "endless.py") as process:
            lines_until(process, "held")
            process.send_signal(signal.SIGINT)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(2 * ECHO + HELD_SECONDS)
            process.send_signal(signal.SIGTERM)
            process.wait(HELD_SECONDS + 5)

    assert process.returncode == 4


def test_the_second_signal_ends_a_crawl_that_waits_for_something_without_end(
    tmp_path: Path,
) -> None:
    spider = tmp_path / "endless.py"
    with serving(SHOP) as site:
        spider.write_text(
            "import anyio, sys\n"
            "from crawler import Spider\n"
            "class Endless(Spider):\n"
            "    name = 'endless'\n"
            f"    start_urls = ['{site.url}/']\n"
            "    async def parse(self, response):\n"
            "        print('held', file=sys.stderr, flush=True)\n"
            "        with anyio.CancelScope(shield=True):\n"
            "            await anyio.sleep(120)\n"
        )
        with starting(tmp_path, "run", "endless.py") as process:
            lines_until(process, "held")
            process.send_signal(signal.SIGINT)
            lines_until(process, "Repeat the signal to stop at once")
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(2 * ECHO)
            process.send_signal(signal.SIGTERM)
            lines_until(process, "Stopping at once")
            process.wait(END_SECONDS + 10)

    assert process.returncode == 4


def test_a_doubled_signal_that_the_loop_receives_late_counts_once(
    tmp_path: Path,
) -> None:
    spider = tmp_path / "late.py"
    with serving(SHOP) as site:
        spider.write_text(
            "import sys, time\n"
            "from crawler import Spider\n"
            "class Late(Spider):\n"
            "    name = 'late'\n"
            f"    start_urls = ['{site.url}/']\n"
            "    def parse(self, response):\n"
            "        print('held', file=sys.stderr, flush=True)\n"
            "        time.sleep(2)\n"
            "        yield {'title': 'late'}\n"
        )
        with starting(tmp_path, "run", "late.py") as process:
            lines_until(process, "held")
            for _ in range(2):
                process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=PATIENCE)

    assert process.returncode == 4
    assert "SIGTERM: no new pages" in said
    assert "Stopping at once" not in said
    assert "1 item so far" in said


def test_a_signal_that_the_parent_ignores_stays_ignored(
    tmp_path: Path,
) -> None:
    with serving(SHOP, hold=("/two",)) as site:
        write_spider(tmp_path, site.url)
        command = [sys.executable, "-m", "crawler.cli", "run", "books"]
        with subprocess.Popen(
            ["nohup", *command],
            cwd=tmp_path,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            wait_for_request(site, process)
            process.send_signal(signal.SIGHUP)
            site.held["/two"].set()
            _, said = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, said
    assert "SIGHUP" not in said


_INTERRUPTED = """\
import os, signal, sys
from crawler.cli import main

class Interrupting:
    def __del__(self):  # where Python shows an error, and drops it
        os.kill(os.getpid(), signal.SIGINT)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            {how}

sys.meta_path.insert(0, Finder())
sys.exit(main(["list"]))
"""


@pytest.mark.parametrize("module", ["crawler.cli.dispatch", "argparse"])
@pytest.mark.parametrize(
    "how",
    [
        pytest.param("os.kill(os.getpid(), signal.SIGINT)", id="in an import"),
        pytest.param(
            'exec("os.kill(os.getpid(), signal.SIGINT)")', id="in an exec in an import"
        ),
        pytest.param("Interrupting()", id="where Python drops errors"),
    ],
)
def test_ctrl_c_before_the_crawl_begins_prints_no_traceback(
    tmp_path: Path, module: str, how: str
) -> None:
    code = _INTERRUPTED.format(module=module, how=how)
    (tmp_path / "early.py").write_text(code)

    done = subprocess.run(
        [sys.executable, "-m", "early"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (4, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_waiting_command_without_a_traceback(
    tmp_path: Path, number: signal.Signals
) -> None:
    with (
        serving(SHOP, hold=("/two",)) as site,
        starting(tmp_path, "fetch", f"{site.url}/two") as process,
    ):
        wait_for_request(site, process)
        process.send_signal(number)
        said = process.communicate(timeout=PATIENCE)

    assert (process.returncode, *said) == (4, "", "")
