"""The guard before each request of a process that shares its run."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from crawler.errors import Blame, FetchError
from crawler.layers import respond
from crawler.request import Request
from crawler.response import Response
from crawler.run.teamwork import Guarded
from crawler.store.sharing import Team

REQUEST = Request("https://books.example/")


class Leased:
    """What the guard sees of a team."""

    def __init__(self, seconds: float) -> None:
        self.deadline = asyncio.get_running_loop().time() + seconds


class Wire:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, request: Request, /) -> Response:
        self.asked.append(request.url)
        return respond(request)


def guarded(wire: Wire, seconds: float) -> Guarded:
    return Guarded(wire, cast(Team, cast(Any, Leased(seconds))))


async def test_within_the_lease_the_wire_is_asked() -> None:
    wire = Wire()
    response = await guarded(wire, 60.0)(REQUEST)
    assert response.status_code == 200
    assert wire.asked == [REQUEST.url]


@pytest.mark.parametrize("seconds", [0.0, -60.0])
async def test_after_the_lease_nothing_is_asked(seconds: float) -> None:
    wire = Wire()
    with pytest.raises(FetchError, match="lease") as caught:
        await guarded(wire, seconds)(REQUEST)
    assert wire.asked == []
    # It costs the request no try, and says nothing of the host.
    assert caught.value.is_free
    assert caught.value.is_retried
    assert caught.value.blame is Blame.WAY


async def test_a_renewed_lease_lets_requests_pass_again() -> None:
    wire, team = Wire(), Leased(-1.0)
    guard = Guarded(wire, cast(Team, cast(Any, team)))
    with pytest.raises(FetchError):
        await guard(REQUEST)
    team.deadline += 60.0
    await guard(REQUEST)
    assert wire.asked == [REQUEST.url]
