"""Errors of a user's layer, as the run sees them."""

from __future__ import annotations

import pytest

from crawler import FetchError, Request, Response
from crawler.errors import Blame, Reason
from crawler.layers import respond
from crawler.run.user_layers import Translated

pytestmark = pytest.mark.anyio
REQUEST = Request("https://books.example/")


async def wrong(request: Request, /) -> Response:
    raise KeyError("token")


async def refused(request: Request, /) -> Response:
    raise FetchError(Reason.READ_TIMEOUT, "too late", url=request.url)


async def good(request: Request, /) -> Response:
    return respond(request, content=b"page")


async def test_an_error_names_the_layer_and_its_line() -> None:
    with pytest.raises(FetchError) as raised:
        await Translated(wrong, "the layer Token")(REQUEST)

    line = wrong.__code__.co_firstlineno + 1
    assert raised.value.reason is Reason.SPIDER_ERROR
    assert raised.value.blame is Blame.CODE
    assert "the layer Token raised KeyError: 'token' (" in str(raised.value)
    assert f"test_user_layers.py:{line} in wrong)" in str(raised.value)
    assert isinstance(raised.value.__cause__, KeyError)


async def test_an_error_of_fetch_passes_unchanged() -> None:
    with pytest.raises(FetchError) as raised:
        await Translated(refused)(REQUEST)

    assert raised.value.reason is Reason.READ_TIMEOUT


async def test_a_response_passes_unchanged() -> None:
    response = await Translated(good)(REQUEST)

    assert response.content == b"page"
