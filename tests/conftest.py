"""What every test stands on: one event loop, a clean environment, no blocking."""

import os

import pytest


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
