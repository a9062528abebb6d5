"""What a spider prints goes to standard error, as text or as JSON lines."""

from __future__ import annotations

import io
import json
import sys

import pytest

from crawler.cli.printing import to_standard_error


def test_prints_of_a_spider_go_to_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = sys.stdout
    with to_standard_error():
        sys.stdout.write("a word\n")
        inside = sys.stdout.fileno()
    sys.stdout.write("an item\n")
    sys.stdout.flush()

    told = capfd.readouterr()
    assert (told.out, told.err) == ("an item\n", "a word\n")
    assert sys.stdout is before
    assert inside == before.fileno()


def test_printed_lines_are_json_with_json_logging(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with to_standard_error(as_json=True):
        sys.stdout.write("a word")
        sys.stdout.write(", and more\nanother\n")

    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["message"] for line in lines] == ["a word, and more", "another"]
    assert {(line["level"], line["logger"]) for line in lines} == {("info", "print")}


def test_an_unfinished_printed_line_is_written_at_the_end_of_the_crawl(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with to_standard_error(as_json=True):
        sys.stdout.write("done")

    (line,) = capfd.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "done"


def test_a_stream_without_a_descriptor_is_not_redirected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notebook = io.StringIO()
    monkeypatch.setattr(sys, "stdout", notebook)

    with to_standard_error():
        sys.stdout.write("a word\n")

    assert notebook.getvalue() == "a word\n"
