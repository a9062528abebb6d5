from __future__ import annotations

import pytest


@pytest.fixture(params=[1, 10_000], ids=["indexed", "in the tail"])
def index_every(request: pytest.FixtureRequest) -> int:
    """Whether rows are found by the indexes or in the tail of the log."""
    value = request.param
    assert isinstance(value, int)
    return value
