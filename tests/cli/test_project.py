"""How NAME is resolved in a project, and which settings take precedence."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.cli.project import Project, spider_of
from crawler.errors import ConfigError

SPIDER = """\
from crawler import Arg, Spider


class Books(Spider):
    name = "books"
    start_urls = ["https://books.example/"]
    settings = {"crawl": {"workers": 3}, "http": {"read": 3}}
    limit: int = Arg(10)
"""


@pytest.fixture(autouse=True)
def own_path() -> Iterator[None]:
    """Folders that are made importable are not so for the other tests."""
    before = sys.path[:]
    yield
    sys.path[:] = before


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spiders").mkdir()
    (tmp_path / "spiders" / "books.py").write_text(SPIDER)
    return tmp_path


def test_flags_take_precedence_over_environment_spider_and_file(folder: Path) -> None:
    (folder / "config.toml").write_text(
        "[crawl]\nworkers = 2\ndepth = 2\n[http]\nread = 2\ntotal = 2\nconnect = 2\n"
    )
    environ = {"CRAWL_HTTP__TOTAL": "4", "CRAWL_HTTP__CONNECT": "4"}
    project = Project(folder, ["http.connect=5"], environ)

    settings = project.settings(project.target("books"))

    assert settings.crawl.depth == 2
    assert settings.crawl.workers == 3
    assert float(settings.http.read) == 3
    assert float(settings.http.total) == 4
    assert float(settings.http.connect) == 5


def test_an_invalid_setting_of_a_spider_names_its_class(folder: Path) -> None:
    path = folder / "spiders" / "books.py"
    path.write_text(SPIDER.replace('"workers"', '"worker"'))
    project = Project(folder, environ={})

    with pytest.raises(ConfigError, match=r"Books\.settings: unknown setting"):
        project.settings(project.target("books"))


@pytest.mark.parametrize(
    "name", ["books", "spiders/books.py", "spiders/books.py:Books"]
)
def test_a_spider_can_be_named_by_name_file_or_class(folder: Path, name: str) -> None:
    target = Project(folder, environ={}).target(name)

    assert (target.spider.name, target.job) == ("books", "books")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("boks", r"No spider 'boks' in spiders; did you mean the spider 'books'\?"),
        ("zzz", r"No spider 'zzz' in spiders; spiders are books \(crawl"),
    ],
)
def test_an_error_about_an_unknown_spider_suggests_the_nearest_name(
    folder: Path, name: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Project(folder, environ={}).target(name)


def test_an_error_about_an_unknown_job_suggests_the_nearest_name(folder: Path) -> None:
    (folder / "config.toml").write_text('[jobs.nightly]\nspider = "books"\n')

    with pytest.raises(ConfigError, match="did you mean the job 'nightly'"):
        Project(folder, environ={}).target("nightyl")


def test_all_names_are_listed_by_kind(folder: Path) -> None:
    (folder / "config.toml").write_text('[jobs.nightly]\nspider = "books"\n')

    with pytest.raises(ConfigError, match="; spiders are books; jobs are nightly "):
        Project(folder, environ={}).target("zzz")


def test_a_file_named_without_its_suffix_is_recognised(folder: Path) -> None:
    (folder / "toys.py").write_text(SPIDER)

    with pytest.raises(ConfigError, match=r"did you mean the file toys\.py\?"):
        Project(folder, environ={}).target("toys")


def test_the_load_error_of_the_file_with_the_given_name_is_shown(folder: Path) -> None:
    (folder / "spiders" / "my_toys.py").write_text("import no_such_module\n")

    with pytest.raises(ConfigError, match=r"spiders/my_toys\.py:1: ModuleNotFound"):
        Project(folder, environ={}).target("my-toys")


def test_other_broken_files_are_mentioned(folder: Path) -> None:
    (folder / "spiders" / "broken.py").write_text("class")

    with pytest.raises(ConfigError, match=r"not loaded: spiders/broken\.py"):
        Project(folder, environ={}).target("boks")


def test_an_error_in_a_folder_without_spiders_shows_how_to_write_one(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError, match="crawl new NAME URL writes one"):
        Project(tmp_path, environ={}).target("books")


def test_an_error_below_a_project_names_the_projects_folder(folder: Path) -> None:
    (folder / "out").mkdir()

    with pytest.raises(ConfigError, match=r"there are spiders in .*: run crawl there"):
        Project(folder / "out", environ={}).target("books")


def test_a_name_of_two_spiders_runs_neither(folder: Path) -> None:
    (folder / "spiders" / "more.py").write_text(SPIDER)

    with pytest.raises(ConfigError, match=r"Two spiders are named 'books': .* and "):
        Project(folder, environ={}).target("books")


def test_arguments_are_converted_to_their_declared_type(folder: Path) -> None:
    target = Project(folder, environ={}).target("books")

    spider = spider_of(target, [("limit", "20")])

    assert spider.arguments == {"limit": 20}


def test_an_error_in_the_init_of_a_spider_is_shown_with_its_line(folder: Path) -> None:
    path = folder / "spiders" / "books.py"
    path.write_text(
        SPIDER
        + "\n    def __init__(self, **given):\n"
        + "        super().__init__(**given)\n"
        + "        raise LookupError('no key')\n"
    )
    target = Project(folder, environ={}).target("books")

    with pytest.raises(ConfigError, match=r"books\.py:12: LookupError: no key"):
        spider_of(target, [])
