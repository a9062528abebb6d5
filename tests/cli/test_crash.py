"""A crash is reported in one line, and its traceback is written to a file."""

import json
import tempfile
from pathlib import Path

import pytest

from crawler.cli import crash


@pytest.fixture
def error() -> Exception:
    try:
        raise ExceptionGroup("tasks", [ValueError("one\x1b\ntwo")])
    except ExceptionGroup as group:
        return group


def test_a_crash_is_one_line_that_names_the_file_with_the_traceback(
    error: Exception, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crash.tell(error, tmp_path, is_verbose=False)

    (log,) = tmp_path.iterdir()
    told = capsys.readouterr().err
    assert told == f"crawl crashed: ValueError: one two, see {log}\n"
    assert "ValueError: one" in log.read_text()


def test_a_verbose_crash_prints_the_traceback_too(
    error: Exception, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crash.tell(error, tmp_path, is_verbose=True)

    told = capsys.readouterr().err.splitlines()
    assert told[0] == "ValueError: one"
    assert told[-1].startswith("crawl crashed: ValueError: one two, see ")


def test_a_crash_is_one_json_object_with_json_logging(
    error: Exception, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crash.tell(error, tmp_path, is_verbose=True, as_json=True)

    value = json.loads(capsys.readouterr().err)
    assert value["level"] == "critical"
    assert value["message"].startswith("crawl crashed: ValueError: one two, see ")
    assert "ValueError: one" in value["exception"]


def test_without_a_folder_the_crash_file_is_a_temporary_file(
    error: Exception, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crash.tell(error, tmp_path / "none", is_verbose=False)

    log = Path(capsys.readouterr().err.split("see ")[1].strip())
    assert log.parent == Path(tempfile.gettempdir())
    log.unlink()
