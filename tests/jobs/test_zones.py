"""Time zones by name, and machines that have none."""

from __future__ import annotations

import importlib.util
import zoneinfo
from collections.abc import Iterator
from datetime import UTC

import pytest

from crawler.jobs.zones import zone


@pytest.fixture
def no_zones() -> Iterator[None]:
    """A machine without time zones, such as a small container."""
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()


def test_utc_exists_on_every_machine(no_zones: None) -> None:
    assert zone("UTC") is UTC
    assert zone("Etc/UTC") is UTC


@pytest.mark.parametrize("name", ["Europe/Berln", "Europe", "../etc/passwd", "", "/x"])
def test_an_unknown_time_zone_is_reported_in_one_line(name: str) -> None:
    with pytest.raises(ValueError, match="is not known; ") as caught:
        zone(name)

    assert "\n" not in str(caught.value)


@pytest.mark.skipif(
    importlib.util.find_spec("tzdata") is not None, reason="the package tzdata is here"
)
def test_a_machine_without_time_zones_says_what_to_install(no_zones: None) -> None:
    with pytest.raises(ValueError, match="pip install tzdata"):
        zone("Europe/Berlin")
