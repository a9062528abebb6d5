from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crawler.errors import ConfigError
from crawler.sinks import Collect, ItemType, StandardOutput, open_sink
from crawler.sinks.database import Database
from crawler.sinks.files import GrowingFile, StoredFile

TYPE = ItemType.named(["a"])


@pytest.mark.parametrize(
    ("output", "options", "kind", "is_growing"),
    [
        pytest.param("-", {}, StandardOutput, True, id="-"),
        pytest.param("out.jsonl", {}, GrowingFile, True, id="jsonl"),
        pytest.param(Path("OUT.JSONL"), {}, GrowingFile, True, id="a path"),
        pytest.param("out.json", {}, StoredFile, False, id="json"),
        pytest.param("out.csv", {}, StoredFile, False, id="csv"),
        pytest.param(
            "out.csv", {"item_type": TYPE}, GrowingFile, True, id="csv, known"
        ),
        pytest.param(
            "out.csv",
            {"item_type": TYPE, "mode": "append"},
            GrowingFile,
            True,
            id="added",
        ),
        pytest.param("out.db", {}, Database, True, id="db"),
        pytest.param("a.b/out.sqlite", {"item_key": "u"}, Database, True, id="sqlite"),
    ],
)
def test_the_suffix_decides_the_format(
    output: Any, options: dict[str, Any], kind: type, is_growing: bool
) -> None:
    sink = open_sink(output, **options)

    assert type(sink) is kind
    assert sink.is_growing is is_growing


def test_a_sink_object_is_used_unchanged() -> None:
    sink = Collect()

    assert open_sink(sink) is sink


@pytest.mark.parametrize("output", ["out.xml", "out", ""])
def test_an_unknown_suffix_lists_the_valid_ones(output: str) -> None:
    with pytest.raises(
        ConfigError, match=r"\.jsonl, \.json, \.csv, \.parquet .*, \.db, \.sqlite"
    ):
        open_sink(output)


def test_a_json_array_cannot_be_appended_to() -> None:
    with pytest.raises(ConfigError, match=r"--append cannot continue out\.json"):
        open_sink("out.json", mode="append")


@pytest.mark.parametrize("name", ["items.jsonl.gz", "items.json.zst", "items.csv.gz"])
def test_compressed_files_are_published_at_the_end_of_the_run(name: str) -> None:
    assert isinstance(open_sink(name), StoredFile)


@pytest.mark.parametrize("name", ["items.gz", "items.db.gz", "items.txt.gz"])
def test_a_format_that_cannot_be_compressed_is_rejected(name: str) -> None:
    with pytest.raises(ConfigError, match=r"each also with \.gz or \.zst"):
        open_sink(name)


def test_a_compressed_file_cannot_be_appended_to() -> None:
    with pytest.raises(ConfigError, match="--append cannot continue"):
        open_sink("items.jsonl.gz", mode="append")


@pytest.mark.parametrize(
    "output",
    ["ftp://host/books.jsonl", "S3x://b/x.csv", "c3:/b/x.db", "http://h/x.json"],
)
def test_an_unknown_scheme_does_not_create_a_folder(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match=r"unknown scheme \w+://.*crawl outputs"):
        open_sink(output)

    assert list(tmp_path.iterdir()) == []
