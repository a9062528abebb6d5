"""The child process judges pages by time and memory, and survives all of them."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from crawler.web.html_trial import HEADER, TrialVerdict

Process = subprocess.Popen[bytes]


@pytest.fixture
def process() -> Iterator[Process]:
    command = [sys.executable, "-m", "crawler.web.html_trial"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process
        if process.stdin is not None and not process.stdin.closed:
            process.stdin.close()


def verdict(
    process: Process, page: bytes, *, max_nodes: int = 100_000, seconds: float = 0.3
) -> TrialVerdict:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(HEADER.pack(len(page), max_nodes, seconds) + page)
    process.stdin.flush()
    return TrialVerdict(process.stdout.readline().decode().strip())


def test_one_process_tries_pages_one_after_the_other(process: Process) -> None:
    assert verdict(process, b"<p>plain") is TrialVerdict.FINE
    assert verdict(process, b"<div>" * 40_000) is TrialVerdict.TIME
    nodes = b"<p a b c d e f g h>" * 500_000
    # On a busy machine parsing to the limit on nodes may take long.
    assert verdict(process, nodes, seconds=10.0) is TrialVerdict.NODES
    assert verdict(process, b"") is TrialVerdict.FINE


def test_elements_texts_and_attributes_count_as_nodes(process: Process) -> None:
    # Besides, there are html, head and body.
    assert verdict(process, b"<p a b>x" * 1_000, max_nodes=4_003) is TrialVerdict.FINE
    assert verdict(process, b"<p a b>x" * 1_000, max_nodes=4_002) is TrialVerdict.NODES


def test_the_process_ends_when_its_input_ends(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write(HEADER.pack(100, 1, 1.0) + b"less")
    process.stdin.close()

    assert process.wait() == 0
