"""Sessions as a spider declares them: their checks, and what is shown of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crawler import (
    ConfigError,
    Response,
    Results,
    Session,
    SessionPool,
    Spider,
)


class Member(Spider):
    name = "member"

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}


@pytest.mark.parametrize(
    ("sessions", "said"),
    [
        (["member"], "write Session"),
        ([Session("a"), Session("a")], "two sessions are named 'a'"),
        ([Session("a", login="nothing")], "which the spider does not have"),
        ([Session("a", login="parse")], "and no yield"),
        ([Session("a", is_logged_out="start")], "and no yield"),
        ([SessionPool("a", [Session("a")])], "two sessions are named 'a'"),
    ],
)
def test_declared_sessions_are_checked_when_the_class_is_defined(
    sessions: Any, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        type("Wrong", (Member,), {"sessions": sessions, "parse": Member.parse})


@pytest.mark.parametrize(
    "make",
    [
        lambda: Session(""),
        lambda: Session("a", headers={"a\n": "b"}),
        lambda: Session("a", proxy="gopher://x"),
        lambda: SessionPool("a", []),
    ],
)
def test_an_invalid_session_is_an_error(make: Callable[[], Any]) -> None:
    with pytest.raises(ConfigError):
        make()


def test_the_secrets_of_a_session_are_not_shown() -> None:
    assert "secret" not in repr(Session("a", meta={"word": "secret"}))
