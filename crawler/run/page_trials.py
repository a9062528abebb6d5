"""The child process that first parses suspicious pages (pages whose parse could take
long).

Rule: a crash in the child never reaches this process. The child runs a module of this
package by `python -m`, so the user's program does not run again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

from crawler.web import html_trial
from crawler.web.html_trial import HEADER, TrialVerdict

#: CPU seconds that the parse of any page may take. This is ten times the usual need.
SECONDS = 0.5
#: CPU seconds that a parse may take in addition for each byte of the page.
SECONDS_PER_BYTE = 150e-9
#: A parse may last this many times its CPU seconds, because the machine may be busy.
_PATIENCE = 10
#: Seconds that the start of the child process may take.
_START_SECONDS = 10


class PageTrials:
    """Parses pages in the child process, one page at a time, and returns the results.
    Calls block the calling thread.

    The child starts with the first page, serves later pages, and ends with `close`.
    Several threads may share one object.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def verdict(self, body: bytes, max_nodes: int) -> TrialVerdict:
        """Parse a page in the child process, and return the result: fine, over the
        limit of time or nodes, or a crash."""
        seconds = seconds_for(body)
        with self._lock:
            process = self._process = self._process or _started()
            patience = _START_SECONDS + _PATIENCE * seconds
            timer = threading.Timer(patience, _kill, (process,))
            timer.daemon = True
            timer.start()
            try:
                return _asked(process, body, max_nodes, seconds)
            finally:
                timer.cancel()
                if self._is_closed or process.poll() is not None:
                    self._end()

    def close(self) -> None:
        """End the child process, even while it parses a page."""
        self._is_closed = True
        if (process := self._process) is not None:
            _kill(process)
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        _kill(process)
        for pipe in (process.stdin, process.stdout):
            # closing a pipe to a dead process fails if input is unwritten; the input is
            # not needed
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        process.wait()


def seconds_for(body: bytes) -> float:
    """Return the maximum number of CPU seconds for the parse of a page."""
    return SECONDS + SECONDS_PER_BYTE * len(body)


def _started() -> subprocess.Popen[bytes]:
    # In a new session Ctrl-C reaches only the crawl, and a kill of the session also
    # ends processes that the child has started. The child receives this process's
    # sys.path, so it needs no `site` module, which is slow to import (-S).
    return subprocess.Popen(
        [sys.executable, "-S", "-P", "-m", html_trial.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def _asked(
    process: subprocess.Popen[bytes], body: bytes, max_nodes: int, seconds: float
) -> TrialVerdict:
    pages, verdicts = process.stdin, process.stdout
    assert pages is not None
    assert verdicts is not None
    try:
        pages.write(HEADER.pack(len(body), max_nodes, seconds))
        pages.write(body)
        pages.flush()
        line = verdicts.readline()
    except OSError:  # the child process was killed
        line = b""
    if not line:
        _kill(process)
        process.wait()
        return TrialVerdict.TIME
    return TrialVerdict(line.decode().strip())


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the child process and the processes that it has started, unless it has
    already ended."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
