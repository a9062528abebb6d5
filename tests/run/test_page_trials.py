"""The child process that parses suspicious pages: reused, replaced and closed."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.run.page_trials import PageTrials
from crawler.web.html_trial import TrialVerdict

NODES = 100_000


@pytest.fixture
def trials() -> Iterator[PageTrials]:
    trials = PageTrials()
    yield trials
    trials.close()


def children() -> set[int]:
    """Processes that this one has started, zombies among them."""
    task = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    return {int(pid) for pid in task.read_text().split()}


def test_one_child_process_parses_all_suspicious_pages(trials: PageTrials) -> None:
    before = children()

    verdicts = [
        trials.verdict(page, NODES)
        for page in (b"<p>", b"<div>" * 60_000, b"<br>" * 200_000, b"<p>")
    ]

    assert verdicts == [
        TrialVerdict.FINE,
        TrialVerdict.TIME,
        TrialVerdict.NODES,
        TrialVerdict.FINE,
    ]
    assert len(children() - before) == 1


def test_close_leaves_no_child_process(trials: PageTrials) -> None:
    before = children()
    trials.verdict(b"<p>", NODES)

    trials.close()

    assert children() == before


def test_a_killed_child_process_is_replaced(trials: PageTrials) -> None:
    before = children()
    trials.verdict(b"<p>", NODES)
    (killed,) = children() - before

    os.kill(killed, signal.SIGKILL)

    assert trials.verdict(b"<p>", NODES) is TrialVerdict.TIME
    assert trials.verdict(b"<p>", NODES) is TrialVerdict.FINE
    assert killed not in children()


def test_close_ends_the_parse_of_a_page_in_the_child_process(
    trials: PageTrials,
) -> None:
    before = children()
    verdicts: list[TrialVerdict] = []
    page = b"<div>" * 2_000_000  # 2 s of CPU time are allowed
    tried = threading.Thread(
        target=lambda: verdicts.append(trials.verdict(page, 10**8))
    )
    tried.start()
    while not children() - before and tried.is_alive():
        pass

    trials.close()
    tried.join()

    assert verdicts == [TrialVerdict.TIME]
    assert children() == before
