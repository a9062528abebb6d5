"""A separate process that parses pages to find out whether they take too long.

    python -m crawler.web.html_trial

The parent writes pages to stdin, each after a `HEADER`. For each page this process
answers with one line: a word of `TrialVerdict`. Every page is parsed in a fork, so that
this process continues if the system kills the fork. The process ends when its stdin
ends.
"""

import contextlib
import os
import resource
import signal
import struct
import sys
from enum import StrEnum

from selectolax.lexbor import LexborNode

from crawler.web.html_parser import parse

#: The numbers before each page: bytes of the page, maximum number of nodes, and maximum
#: number of CPU seconds.
HEADER = struct.Struct("<QQd")
# Minimum bytes of memory for a node: an element, a text, or an attribute with its name.
_LEAST_BYTES = 130
# Maximum bytes of memory for a node: an element, a text, or an attribute with its name.
_MOST_BYTES = 270
# Bytes of memory that the parser needs for any page.
_SPARE_BYTES = 32 * 1024**2
# Seconds between two limits of CPU time: first a timer's signal, which a process could
# ignore, then the limit at which the system ends the process.
_LATE_SECONDS = 2


class TrialVerdict(StrEnum):
    """The result of a trial parse; the process writes it as one word on a line."""

    FINE = "fine"
    TIME = "time"
    NODES = "nodes"
    CRASH = "crash"


_BY_SIGNAL: dict[int, TrialVerdict] = {
    signal.SIGPROF: TrialVerdict.TIME,
    signal.SIGXCPU: TrialVerdict.TIME,
}
_BY_CODE = {0: TrialVerdict.FINE, 3: TrialVerdict.NODES}
_CODES = {verdict: code for code, verdict in _BY_CODE.items()}


def main() -> None:
    """Parse page after page as a trial, until stdin ends."""
    pages, verdicts = sys.stdin.buffer, sys.stdout.buffer
    with contextlib.suppress(OSError):
        os.nice(5)  # a lower priority than the crawl itself
    while len(header := pages.read(HEADER.size)) == HEADER.size:
        size, max_nodes, seconds = HEADER.unpack(header)
        body = pages.read(size)
        if len(body) < size:
            return
        verdicts.write(f"{_tried(body, max_nodes, seconds)}\n".encode())
        verdicts.flush()


def _tried(body: bytes, max_nodes: int, seconds: float) -> TrialVerdict:
    child = os.fork()
    if not child:
        code = 1
        try:
            code = _CODES[_parsed(body, max_nodes, seconds)]
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return _BY_SIGNAL.get(os.WTERMSIG(status), TrialVerdict.CRASH)
    return _BY_CODE.get(os.WEXITSTATUS(status), TrialVerdict.CRASH)


def _parsed(body: bytes, max_nodes: int, seconds: float) -> TrialVerdict:
    """Parse a page under limits of time and memory; a signal ends this process if
    parsing takes too long."""
    before = _memory()
    tree = max_nodes * _MOST_BYTES + 4 * len(body)
    _limit(resource.RLIMIT_AS, before + tree + _SPARE_BYTES)
    _limit(resource.RLIMIT_CPU, int(seconds) + _LATE_SECONDS)
    _limit(resource.RLIMIT_CORE, 0)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        root = parse(body)
    except Exception:
        # any bytes can be parsed as HTML, so the only possible cause is missing memory
        return TrialVerdict.NODES
    signal.setitimer(signal.ITIMER_PROF, 0)
    may_have_too_many = _memory() - before > max_nodes * _LEAST_BYTES
    if may_have_too_many and root is not None and _has_nodes(root, max_nodes):
        return TrialVerdict.NODES
    return TrialVerdict.FINE


def _has_nodes(root: LexborNode, number: int) -> bool:
    """Return whether a tree has over `number` nodes: elements, texts, comments,
    attributes."""
    count = 0
    for node in root.traverse(include_text=True):
        count += 1 + len(node.attrs) if node.is_element_node else 1
        if count > number:
            return True
    return False


def _memory() -> int:
    """Return the bytes of address space in use; a large number if unknown."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - one system call
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 40


def _limit(kind: int, value: int) -> None:
    # the system already sets a lower limit
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (value, hard))


if __name__ == "__main__":
    main()
