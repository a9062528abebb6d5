"""`crawl new` and `crawl list`."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.cli.dispatch import execute
from tests.cli.sites import ROOT, SHOP, environment, serving


@pytest.fixture(autouse=True)
def own_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of its own; what is made importable is so for this test only."""
    monkeypatch.chdir(tmp_path)
    before = sys.path[:]
    yield
    sys.path[:] = before


@pytest.mark.parametrize("name", ["shop", "my-shop", "spider", "test-shop", "json"])
def test_a_new_spider_can_run_at_once(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(SHOP) as site:
        written = execute(["new", name, site.url])
        ran = execute(["run", name, "-q", "--pages", "3", "--min-items", "3"])

    assert (written, ran) == (0, 0)
    assert f"now: crawl run {name}" in capsys.readouterr().out


def test_a_new_spider_passes_strict_type_checks(tmp_path: Path) -> None:
    execute(["new", "my-shop", "https://shop.example/a?b='\"\\"])

    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "spiders"],
        cwd=tmp_path,
        env=environment(MYPYPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def books(number: int) -> str:
    """A page of three books, and the link to the next page."""
    shown = "".join(
        f"<article class=book><h3><a href=/b{n}>Book {n}</a></h3>"
        f"<p class=price>£{n}.50</p></article>"
        for n in range(number * 3, number * 3 + 3)
    )
    return f"<h1>Books</h1>{shown}<a class=next href=/p{number + 1}>More</a>"


def test_a_new_spider_extracts_the_repeated_elements_of_its_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving({"/": books(0), "/p1": books(1)}) as site:
        written = execute(["new", "shop", site.url])
        ran = execute(["run", "shop", "-q", "-o", "-", "--max-error-rate", "0.5"])

    said = capsys.readouterr().out.splitlines()
    assert (written, ran) == (0, 0)
    assert said[0] == (
        "Found 3 elements `article.book` with title, url, price, "
        "the next page at `a.next`"
    )
    assert said[2:] == [
        f'{{"title":"Book {n}","url":"{site.url}/b{n}","price":"£{n}.50"}}'
        for n in range(6)
    ]


@pytest.mark.parametrize(
    ("path", "why"), [("/gone", "status 404"), ("/deep", "parse_error")]
)
def test_a_new_spider_is_written_even_if_its_page_cannot_be_parsed(
    path: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving({"/deep": "<div>" * 100_000}) as site:
        code = execute(["new", "shop", f"{site.url}{path}"])

    told = capsys.readouterr().err.splitlines()
    assert code == 0
    assert len(told) == 1
    assert told[0].startswith("crawl: The page cannot be read: ")
    assert why in told[0]
    assert "response.page.text" in (tmp_path / "spiders" / "shop.py").read_text()


def test_a_new_spider_is_written_even_if_its_site_does_not_respond(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving({}) as site:
        pass  # nobody listens there any more

    code = execute(["new", "shop", site.url])

    assert code == 0
    assert "connect_refused" in capsys.readouterr().err
    assert (tmp_path / "spiders" / "shop.py").is_file()


@pytest.mark.parametrize(
    ("name", "url", "message"),
    [
        ("9gag", "https://x.example/", "'9gag' is not a valid name for a spider"),
        ("a b", "https://x.example/", "'a b' is not a valid name for a spider"),
        ("../up", "https://x.example/", "'../up' is not a valid name for a spider"),
        ("shop", "shop.example", "did you mean https://shop.example/?"),
        ("shop", "ftp://shop.example/", "is not a URL"),
        ("shop", "http://", "is not a URL"),
    ],
)
def test_an_invalid_name_or_url_is_reported_in_one_line(
    name: str,
    url: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = execute(["new", name, url])

    told = capsys.readouterr().err
    assert code == 2
    assert message in told
    assert len(told.splitlines()) == 1
    assert list(tmp_path.rglob("*.py")) == []


def test_no_existing_file_is_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spiders").mkdir()
    (tmp_path / "spiders" / "shop.py").write_text("precious = 1\n")
    execute(["new", "toys", "https://toys.example/"])
    capsys.readouterr()

    codes = [execute(["new", name, "https://x.example/"]) for name in ("shop", "toys")]

    told = capsys.readouterr().err.splitlines()
    assert codes == [2, 2]
    assert "spiders/shop.py exists; choose another name" in told[0]
    assert "A spider named 'toys' exists already, in spiders/toys.py" in told[1]
    assert (tmp_path / "spiders" / "shop.py").read_text() == "precious = 1\n"


def test_list_shows_spiders_with_their_arguments_and_broken_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "spiders"
    folder.mkdir()
    (folder / "books.py").write_text(
        "from crawler import Arg, Spider\n\n\n"
        "class Books(Spider):\n"
        "    name = 'books'\n"
        "    shelf: str = Arg('fiction', help='which shelf')\n"
        "    limit: int = Arg()\n"
    )
    (folder / "broken.py").write_text("import no_such_module\n")

    code = execute(["list"])

    *listed, broken = capsys.readouterr().out.splitlines()
    assert code == 0
    assert listed == [
        "books  spiders/books.py:4",
        "       -a shelf: str = 'fiction'  which shelf",
        "       -a limit: int",
    ]
    assert broken.startswith("! spiders/broken.py:1: ModuleNotFoundError: No module")


def test_list_of_an_empty_folder_shows_the_first_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = execute(["list"])

    assert code == 0
    assert "crawl new NAME URL writes one" in capsys.readouterr().out


def pytest_in(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env=environment(PYTHONSAFEPATH="1"),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("is_there", [True, False], ids=["a page", "no page"])
def test_the_first_spider_comes_with_settings_gitignore_and_a_passing_test(
    is_there: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving({"/": books(0) if is_there else (404, "")}) as site:
        code = execute(["new", "my-shop", site.url])
    tested = pytest_in(tmp_path)

    names = {path.name for path in tmp_path.iterdir()}
    told = capsys.readouterr().out
    page = {"test_my_shop.html"} if is_there else set()
    assert code == 0
    assert {"config.toml", ".gitignore", "spiders", "test_my_shop.py", *page} <= names
    assert ("test_my_shop.html" in told) is is_there
    assert ", config.toml, .gitignore, test_my_shop.py" in told
    assert len((tmp_path / "config.toml").read_text().splitlines()) == 3
    assert "1 passed" in tested.stdout, tested.stdout


def test_the_test_of_a_first_spider_can_fail(tmp_path: Path) -> None:
    with serving({"/": books(0)}) as site:
        execute(["new", "shop", site.url])
    path = tmp_path / "spiders" / "shop.py"
    path.write_text(path.read_text().replace("yield", "assert False; yield"))

    assert "1 failed" in pytest_in(tmp_path).stdout


def test_a_folder_with_files_gets_only_the_spider(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()

    execute(["new", "shop", "http://127.0.0.1:1/"])

    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "spiders"}


def test_hidden_files_do_not_count_as_a_project_and_are_kept(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine")

    execute(["new", "shop", "http://127.0.0.1:1/"])

    assert (tmp_path / ".gitignore").read_text() == "mine"
    assert (tmp_path / "test_shop.py").exists()
