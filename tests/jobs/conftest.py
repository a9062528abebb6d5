"""The scheduler's loop drives nothing that could be held up, and blocks on purpose."""

import pytest


@pytest.fixture(autouse=True)
def no_blocking() -> None:
    """Its state is a small file, written where it changes: a thread for that would
    only let the file and what it tells of drift apart."""
