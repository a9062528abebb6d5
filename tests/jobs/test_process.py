"""The processes of jobs, with real processes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import anyio
import pytest

from crawler.errors import CrawlError
from crawler.jobs.process import Processes, log_of

#: Says so, and then waits to be stopped.
WAITING = "import signal, sys; print('begun', flush=True); signal.pause()"
#: The same, with a child of its own, and deaf to all but SIGKILL.
PARENT = (
    "import signal, subprocess as s, sys;"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "child = s.Popen([sys.executable, '-c', 'import signal; signal.pause()']);"
    "print(child.pid, flush=True); signal.pause()"
)


class Launched:
    """Launchers of a folder, and what they started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def launcher(self, program: str = WAITING) -> Processes:
        command = [sys.executable, "-c", program]
        return Processes(self.folder, self.folder, lambda job: command)

    async def said(self) -> str:
        """What the process wrote into the job's log, behind the line of its start."""
        path = anyio.Path(log_of(self.folder, "nightly"))
        with anyio.fail_after(20):
            while True:
                text = await path.read_text()
                first, _, rest = text.partition("\n")
                if rest.endswith("\n"):
                    break
                await anyio.sleep(0.01)  # another process writes it
        assert datetime.fromisoformat(first[:25]).tzinfo is not None
        assert first.endswith(" INFO Job nightly: started")
        return rest.strip()


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Launched]:
    yield Launched(tmp_path)
    for left in (Launched(tmp_path).launcher().find("nightly"),):
        if left is not None:
            left.send(signal.SIGKILL)


async def test_a_process_has_a_log_and_an_exit_code(launched: Launched) -> None:
    program = "import sys; print('said'); sys.exit(3)"
    running = await launched.launcher(program).start("nightly")

    assert await running.wait() == 3
    assert await launched.said() == "said"
    assert launched.launcher().find("nightly") is None


async def test_a_running_process_is_found_by_another_scheduler(
    launched: Launched,
) -> None:
    running = await launched.launcher().start("nightly")
    found = launched.launcher().find("nightly")

    assert found is not None
    assert (found.pid, found.since) == (running.pid, running.since)
    found.send(signal.SIGTERM)
    assert await running.wait() == -signal.SIGTERM
    with anyio.fail_after(20):
        assert await found.wait() is None


async def test_a_running_job_is_not_started_again(launched: Launched) -> None:
    running = await launched.launcher().start("nightly")

    with pytest.raises(CrawlError, match="already runs"):
        await launched.launcher().start("nightly")
    running.send(signal.SIGKILL)
    await running.wait()
    again = await launched.launcher("").start("nightly")
    assert await again.wait() == 0


async def test_a_kill_ends_all_child_processes_too(launched: Launched) -> None:
    running = await launched.launcher(PARENT).start("nightly")
    child = int(await launched.said())

    running.send(signal.SIGTERM)
    running.send(signal.SIGKILL)
    assert await running.wait() == -signal.SIGKILL
    with anyio.fail_after(20):
        while _is_alive(child):  # noqa: ASYNC110  # not ours to wait for
            await anyio.sleep(0.01)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z" and os.getpgid(pid) > 0


async def test_a_long_log_is_rotated(launched: Launched) -> None:
    log = log_of(launched.folder, "nightly")
    log.write_bytes(b"x" * (1 << 21))

    running = await launched.launcher("print('new')").start("nightly")
    await running.wait()

    assert await launched.said() == "new"
    assert log.with_name("nightly.log.1").stat().st_size == 1 << 21
