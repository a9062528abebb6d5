"""Which names a job may have."""

from __future__ import annotations

import pytest

from crawler.errors import ConfigError
from crawler.store.job_name import check_job_name


@pytest.mark.parametrize("name", ["books", "b", "Bücher 2", "a.b", "x" * 200])
def test_a_name_that_can_be_part_of_a_file_name_is_valid(name: str) -> None:
    check_job_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".x",
        "a/b",
        "../x",
        "a\nb",
        "a\0b",
        "a\x1b[2J",
        "x" * 201,
        "ü" * 101,
    ],
)
def test_an_invalid_name_is_rejected_in_one_short_line(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_job_name(name)

    message = str(caught.value)
    assert "cannot name a job" in message
    assert message.isprintable()
    assert len(message) < 200
