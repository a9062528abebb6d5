"""Named outputs in config.toml, and `crawl outputs`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.cli.dispatch import execute
from tests.cli.sites import SHOP, serving, write_spider

CONFIG = """
[outputs.prices]
uri = "prices.csv"
fields = {title = "Title"}
delimiter = ";"

[outputs.own]
class = "own_sink.Lines"
path = "own.txt"

[jobs.nightly]
spider = "books"
output = ["prices", "nightly.jsonl"]
"""
OWN_SINK = """
from anyio import Path
from crawler import Sink

class Lines(Sink):
    def __init__(self, path):
        self.path, self.keys = Path(path), []
    async def write(self, rows):
        self.keys += [self.key(row) for row in rows]
        await self.path.write_text("\\n".join(self.keys))
"""


@pytest.fixture(autouse=True)
def own_path() -> Iterator[None]:
    before = sys.path[:]
    yield
    sys.path[:] = before
    sys.modules.pop("own_sink", None)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        (tmp_path / "config.toml").write_text(CONFIG)
        (tmp_path / "own_sink.py").write_text(OWN_SINK)
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(tmp_path))
        yield tmp_path


def rows(path: Path) -> list[str]:
    return sorted(path.read_text().splitlines())


def test_an_output_in_the_config_can_be_named_on_the_command_line(
    project: Path,
) -> None:
    code = execute(["run", "books", "-q", "-o", "prices", "-o", "own"])

    assert code == 0
    assert rows(project / "prices.csv") == ["One", "Shop", "Title", "Two"]
    assert rows(project / "own.txt") == ["books/1/1", "books/1/2", "books/1/3"]


def test_a_job_names_outputs(project: Path) -> None:
    assert execute(["run", "nightly", "-q"]) == 0

    assert rows(project / "prices.csv") == ["One", "Shop", "Title", "Two"]
    assert len(rows(project / "nightly.jsonl")) == 3


@pytest.mark.parametrize("written", ['["prices", "own"]', '("own", "prices")'])
def test_a_spider_names_outputs_of_the_config(project: Path, written: str) -> None:
    spider = project / "spiders" / "books.py"
    spider.write_text(
        spider.read_text().replace(
            'name = "books"', f'name = "books"\n    outputs = {written}'
        )
    )

    assert execute(["run", "books", "-q"]) == 0

    assert rows(project / "prices.csv") == ["One", "Shop", "Title", "Two"]
    assert len(rows(project / "own.txt")) == 3


def test_a_spider_may_name_a_single_output(project: Path) -> None:
    spider = project / "spiders" / "books.py"
    spider.write_text(
        spider.read_text().replace(
            'name = "books"', 'name = "books"\n    outputs = "prices"'
        )
    )

    assert execute(["run", "books", "-q"]) == 0

    assert rows(project / "prices.csv") == ["One", "Shop", "Title", "Two"]


def test_an_error_about_a_misspelled_name_suggests_the_nearest_one(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["run", "books", "-o", "price"]) == 2

    assert "unknown output 'price'; did you mean 'prices'?" in capsys.readouterr().err


def test_the_settings_name_outputs_too(project: Path) -> None:
    code = execute(["run", "books", "-q", "-s", 'output.default=["prices"]'])

    assert code == 0
    assert (project / "prices.csv").exists()
    assert not (project / "out").exists()


def test_the_outputs_of_a_spider_are_used_unless_the_command_line_names_some(
    project: Path,
) -> None:
    spider = project / "spiders" / "books.py"
    text = spider.read_text()
    spider.write_text(
        text.replace('name = "books"', 'name = "books"\n    outputs = ["mine.jsonl"]')
    )

    first = execute(["run", "books", "-q"])
    second = execute(["run", "books", "-q", "-o", "other.jsonl"])

    assert (first, second) == (0, 0)
    assert len(rows(project / "mine.jsonl")) == 3
    assert len(rows(project / "other.jsonl")) == 3


def test_a_run_is_exported_to_a_named_output(project: Path) -> None:
    execute(["run", "books", "-q"])

    assert execute(["export", "books", "-o", "prices"]) == 0
    assert rows(project / "prices.csv") == ["One", "Shop", "Title", "Two"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("[outputs.a]\nformat = 3", "[outputs.a]: format = 3 must be text"),
        ("[outputs.a]\nfields = []", "[outputs.a] is not valid: An output needs a uri"),
        ("outputs = 3", "outputs is not a table of tables"),
        ('[outputs.a]\nuri = "x.csv"\ndelimeter = ";"', "did you mean 'delimiter'?"),
        ('[outputs.a]\nclass = "no.such"', "'no.such' of an output cannot be imported"),
        ('[outputs.a]\nuri = "s3://b/x.jsonl"\nregoin = "x"', "'regoin' is not valid"),
    ],
)
def test_an_invalid_output_is_exit_code_two_before_the_first_request(
    project: Path, config: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "config.toml").write_text(config)

    code = execute(["run", "books", "-o", "a"])

    assert code == 2
    assert words in capsys.readouterr().err
    assert not list(project.glob("a*"))


def test_the_installed_outputs_are_listed(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["outputs"]) == 0

    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Outputs of this project"
    assert said[1].split() == ["prices", "prices.csv"]
    for name in (".parquet", ".zst", "s3://", "postgresql://", "own"):
        assert any(line.split()[:1] == [name] for line in said), name
