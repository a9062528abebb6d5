from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from crawler.cli import summary
from crawler.errors import ConfigError
from crawler.stats import FinishReason, Report
from tests.sinks.fake_disk import FakeDisk

REPORT = Report("books", "books", 1, "", "", FinishReason.FINISHED, item_count=3)


@pytest.mark.parametrize("seed", range(8))
def test_a_written_summary_survives_a_power_failure(seed: int) -> None:
    disk = FakeDisk()
    disk.put(Path("/out/s.json"), b"old")

    summary.write("/out/s.json", REPORT, disk=disk)
    disk.cut_power(Random(seed))

    content = disk.content(Path("/out/s.json"))
    assert content is not None
    assert json.loads(content)["items"] == 3


def test_a_summary_is_a_file_not_a_url(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a URL; give the path of a local file"):
        summary.check("s3://bucket/s.json", [])
