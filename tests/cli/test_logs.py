"""Log lines are limited in length and free of control characters, as text or as
JSON."""

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crawler.cli import logs

logger = logging.getLogger("crawler.some.part")


def test_a_log_message_is_one_line_whatever_a_server_has_sent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logs.configured():
        logger.warning("Failed %s", "x\nfake line\x1b[31m")

    said = capsys.readouterr().err
    assert said.endswith(" WARNING Failed x fake line[31m\n")
    assert said.count("\n") == 1


def test_a_log_line_has_at_most_eight_kibibytes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logs.configured():
        logger.warning("☃" * 10_000)

    said = capsys.readouterr().err
    assert len(said.encode()) <= logs.MAX_LINE + 1
    assert said.endswith("bytes\n")


@pytest.mark.parametrize(
    ("verbosity", "quiet", "expected"),
    [
        (0, False, ["WARNING"]),
        (1, False, ["INFO", "WARNING"]),
        (2, False, ["DEBUG", "INFO", "WARNING"]),
        (5, False, ["DEBUG", "INFO", "WARNING"]),
        (0, True, []),
    ],
)
def test_the_log_level_is_the_configured_one(
    verbosity: int, quiet: bool, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with logs.configured(verbosity, quiet):
        logger.debug("a")
        logger.info("b")
        logger.warning("c")

    assert [
        line.split()[2] for line in capsys.readouterr().err.splitlines()
    ] == expected


def test_the_http_library_logs_nothing_even_at_debug_level(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logs.configured(verbosity=2):
        logging.getLogger("httpx").info("HTTP Request: GET ...")
        logging.getLogger("httpcore.http2").debug("send_request_headers.started")

    assert capsys.readouterr().err == ""


def test_an_exception_is_one_log_line_unless_verbose(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        try:
            raise ValueError("two\nlines")
        except ValueError:
            logger.exception("It failed")

    with logs.configured():
        fail()
    short = capsys.readouterr().err
    with logs.configured(verbosity=1):
        fail()
    long = capsys.readouterr().err

    assert short.endswith(" ERROR It failed: ValueError: two lines\n")
    assert "Traceback (most recent call last)" in long


def test_json_log_lines_are_objects_within_the_same_length(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logs.configured(log_format="json"):
        logger.warning('"%s"', "☃\x1b" * 10_000)

    said = capsys.readouterr().err
    value = json.loads(said)
    assert len(said.encode()) <= logs.MAX_LINE + 1
    assert (value["level"], value["logger"]) == ("warning", "crawler.some.part")
    assert value["message"].startswith('"☃☃')
    assert value["time"].endswith("+00:00")


def test_an_exception_in_json_is_a_field(capsys: pytest.CaptureFixture[str]) -> None:
    with logs.configured(log_format="json"):
        try:
            raise ValueError("gone")
        except ValueError:
            logger.exception("It failed")

    value = json.loads(capsys.readouterr().err)
    assert value["message"] == "It failed"
    assert value["exception"].endswith("ValueError: gone")


def test_the_logging_configuration_is_restored_after_the_block() -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logging.getLogger("httpx").level)

    with logs.configured(verbosity=2):
        assert root.handlers != before[0]

    assert (root.handlers[:], root.level, logging.getLogger("httpx").level) == before


def test_a_log_line_has_a_date_and_a_time_zone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logs.configured():
        logger.warning("x")

    date, time, level, *_ = capsys.readouterr().err.split()
    moment = datetime.fromisoformat(f"{date} {time}")
    assert moment.utcoffset() is not None
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)
    assert level == "WARNING"


def json_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_json_log_lines_have_the_extra_fields_and_the_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logs.configured(log_format="json") as context:
        context.update(spider="books", run=7)
        logger.warning("a", extra={"url": "https://a.example/", "n": 3})

    (line,) = json_lines(capsys)
    assert {name: line[name] for name in ("spider", "run", "url", "n", "logger")} == {
        "spider": "books",
        "run": 7,
        "url": "https://a.example/",
        "n": 3,
        "logger": "crawler.some.part",
    }


def test_extra_fields_can_neither_hide_nor_break_a_json_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logs.configured(log_format="json"):
        logger.warning("a", extra={"level": "debug", "time": 1, "object": object()})
        logger.warning("b", extra={"long": list(range(10_000))})

    first, second = json_lines(capsys)
    assert (first["message"], first["level"]) == ("a", "warning")
    assert first["object"].startswith("<object")
    assert second["message"] == "b"
