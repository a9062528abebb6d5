"""Output for terminals has no control characters, and closed streams do no harm."""

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.cli import streams


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("\x1b[2J\x1b]0;title\x07plain", "[2J]0;titleplain", id="escapes"),
        pytest.param("one\ntwo\r\nthree\tfour", "one two three four", id="breaks"),
        pytest.param("a\x9b31mb\x85c", "a31mb c", id="C1"),
        pytest.param("safe\u202eexe.txt\u2066", "safeexe.txt", id="direction"),
        pytest.param("x\x00y\x7f\ud800z", "xyz", id="nul, delete, half a character"),
        pytest.param("☃ é 漢字", "☃ é 漢字", id="other scripts stay"),
    ],
)
def test_clean_removes_characters_that_control_a_terminal(
    text: str, expected: str
) -> None:
    assert streams.clean(text) == expected


@given(st.text())
def test_cleaned_text_is_one_printable_line_and_cleaning_twice_changes_nothing(
    text: str,
) -> None:
    cleaned = streams.clean(text)

    assert len(cleaned.splitlines()) <= 1
    assert not any(ord(each) < 32 or 127 <= ord(each) < 160 for each in cleaned)
    assert streams.clean(cleaned) == cleaned
    cleaned.encode()


def test_writing_to_a_closed_descriptor_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as file:
        stream = streams.forgiving(file)

        print("nobody hears this", file=stream, flush=True)

        assert not stream.isatty()


def test_text_is_written_completely_to_a_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    with path.open("w", encoding="ascii") as file:
        stream = streams.forgiving(file)
        print("snow: ☃", file=stream, flush=True)

    assert path.read_text() == "snow: \\u2603\n"


def test_a_stream_without_a_descriptor_is_written_directly() -> None:
    stream = io.StringIO()

    assert streams.forgiving(stream) is stream


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(0, ""), (1, "1 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12.3 MB")],
)
def test_sizes_in_bytes_are_formatted_for_people(amount: int, expected: str) -> None:
    assert streams.of_bytes(amount) == expected


def test_paths_below_the_current_folder_are_shown_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert streams.shown(tmp_path / "out" / "x.jsonl") == "out/x.jsonl"
    assert streams.shown(Path("/elsewhere/x")) == "/elsewhere/x"
