from __future__ import annotations

import pytest

from tests.store.values import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()
