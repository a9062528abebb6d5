from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from crawler.errors import ConfigError
from crawler.sinks import ItemRow, OutputSpec, Sink, open_sink
from crawler.sinks.registry import DATABASES, FORMATS, PACKINGS, PLACES, OutputOffer

OFFERS = [
    offer
    for group in (FORMATS, PACKINGS, PLACES, DATABASES)
    for offer in group.values()
]


class Queue(Sink):
    def __init__(self, topic: str, *, uri: str = "", size: int = 1) -> None:
        self.topic, self.uri, self.size = topic, uri, size

    async def write(self, rows: Sequence[ItemRow]) -> None: ...


class NoSink:
    pass


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.name)
def test_every_offered_output_can_be_loaded(offer: OutputOffer) -> None:
    if not offer.is_installed:
        pytest.skip(f"needs the extra {offer.extra}")
    assert callable(offer.load())


def test_a_missing_extra_is_named() -> None:
    offer = OutputOffer("x", "", "x:X", "no_such_module", "lake")

    with pytest.raises(
        ConfigError, match=r"need no_such_module, .*: pip .*crawler\[lake\]"
    ):
        offer.load()


def test_no_library_is_imported_before_an_output_needs_it() -> None:
    heavy = "pyarrow, obstore, psycopg"
    code = (
        "import sys, crawler.sinks, crawler.cli.dispatch\n"
        "from crawler.sinks import open_sink\n"
        "open_sink('x.jsonl'), open_sink('x.csv')\n"
        f"print([name for name in {heavy.split(', ')} if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )

    assert done.stdout == "[]\n"


def test_a_sink_class_of_the_user_is_named_by_its_import_path() -> None:
    spec = OutputSpec(sink=f"{__name__}.Queue", options={"topic": "books", "size": 3})
    sink = open_sink(spec)

    assert isinstance(sink, Queue)
    assert (sink.topic, sink.uri, sink.size) == ("books", "", 3)


def test_a_sink_class_receives_the_uri_and_the_fields() -> None:
    spec = OutputSpec(
        sink=f"{__name__}:Queue", uri="q://h", options={"topic": "b"}, fields=("a",)
    )
    sink = open_sink(spec)

    assert isinstance(sink, Queue)
    assert sink.uri == "q://h"
    assert sink.selection.fields == {"a": "a"}


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("Queue", {}, "unknown sink 'Queue'"),
        ("nowhere.Queue", {}, "'nowhere.Queue' of an output cannot be imported"),
        (f"{__name__}.Queu", {}, "cannot be imported"),
        (f"{__name__}.Queue", {}, "missing 1 required .* 'topic'"),
        (f"{__name__}.Queue", {"topic": "x", "sise": 1}, "'sise'"),
        (f"{__name__}.NoSink", {}, "must return an instance of Sink"),
        (f"{__name__}.OFFERS", {}, "must be a class"),
    ],
)
def test_an_invalid_sink_class_is_reported_in_one_line(
    name: str, options: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        open_sink(OutputSpec(sink=name, options=options))


def test_a_sink_of_another_package_is_found_by_its_entry_point(tmp_path: Path) -> None:
    """Another package is a folder with metadata, on the path of a new process."""
    info = tmp_path / "shop_sinks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: shop-sinks\nVersion: 1\n"
    )
    (info / "entry_points.txt").write_text(
        "[crawler.sinks]\nqueue = shop_sinks:Queue\n"
    )
    (tmp_path / "shop_sinks.py").write_text(
        "from crawler import Sink\n"
        "class Queue(Sink):\n"
        "    def __init__(self, uri): self.uri = uri\n"
        "    async def write(self, rows): ...\n"
    )
    code = (
        "from crawler.sinks import OutputSpec, open_sink\n"
        "print(open_sink('queue://h/books').uri)\n"
        "print(open_sink(OutputSpec(sink='queue', uri='x')).uri)\n"
    )

    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{tmp_path}:{root}"},
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout == "queue://h/books\nx\n"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            OutputSpec(uri="x.csv", options={"delimeter": ";"}),
            "unknown option 'delimeter'",
        ),
        (OutputSpec(uri="x.db", options={"a": 1}), "remove the option 'a'"),
        (OutputSpec(uri="x.csv", options={"delimiter": "ab"}), "one character"),
        (OutputSpec(uri="x.txt", format="xml"), "'xml' has an unknown ending"),
    ],
)
def test_an_unknown_option_is_named(spec: OutputSpec, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        open_sink(spec)


def test_a_format_can_be_given_separately_from_the_path() -> None:
    assert not open_sink(OutputSpec(uri="x.txt", format="csv.gz")).is_growing
    assert open_sink(OutputSpec(uri="x.txt", format="jsonl")).is_growing


def test_a_file_uri_is_a_path(tmp_path: Path) -> None:
    sink = open_sink(f"file://{tmp_path}/a%20b.jsonl")

    assert sink.name == f"file {tmp_path}/a b.jsonl"
