"""Loading spiders from files; an error is one line with its location."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.cli import loading
from crawler.cli.loading import LoadError

SPIDER = """\
from crawler import Spider


class {name}(Spider):
    name = "{word}"
    start_urls = ["https://{word}.example/"]
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
    return tmp_path / "spiders"


def spider(name: str) -> str:
    return SPIDER.format(name=name, word=name.lower())


def test_the_only_spider_of_a_file_is_found(folder: Path) -> None:
    (folder / "books.py").write_text(spider("Books"))

    assert loading.load_spider(folder / "books.py").name == "books"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            "class Books(:\n    pass\n",
            "spiders/x.py:1: SyntaxError: invalid syntax",
            id="syntax",
        ),
        pytest.param(
            "class Books:\npass\n",
            "spiders/x.py:2: IndentationError: expected an indented block after "
            "class definition on line 1",
            id="indentation",
        ),
        pytest.param(
            "\nimport no_such_module\n",
            "spiders/x.py:2: ModuleNotFoundError: No module named 'no_such_module'; "
            "install it, or put it beside the spider",
            id="import",
        ),
        pytest.param(
            "from crawler import Spyder\n",
            "spiders/x.py:1: ImportError: cannot import name 'Spyder' from 'crawler' ",
            id="a name that is not there",
        ),
        pytest.param(
            "def f():\n    return 1 / 0\n\nf()\n",
            "spiders/x.py:2: ZeroDivisionError: division by zero",
            id="any error",
        ),
        pytest.param(
            "import sys\nsys.exit(0)\n",
            "spiders/x.py:2: ends the program; a spider's file must only define the "
            "spider",
            id="exit",
        ),
        pytest.param(
            "from crawler import Spider\nclass Books(Spider):\n    start_urls = []\n",
            "spiders/x.py:2: spider Books has no name; write name = 'x' in it",
            id="no name",
        ),
        pytest.param(
            "from crawler import Arg, Spider\nclass B(Spider):\n    name = 'b'\n"
            "    parse: str = Arg()\n",
            "spiders/x.py:2: B.parse: every Spider has an attribute parse, so an Arg "
            "cannot have this name; rename the argument",
            id="an argument that cannot be",
        ),
        pytest.param(
            "x = 1\n",
            "spiders/x.py has no Spider class; write `class Books(Spider):` with "
            "`name` and `start_urls` (crawl new NAME URL writes such a file)",
            id="no spider",
        ),
        pytest.param(
            spider("Books") + spider("Toys"),
            "spiders/x.py has several spiders: Books and Toys; choose one, such as "
            "spiders/x.py:Books",
            id="two spiders",
        ),
    ],
)
def test_a_file_that_cannot_be_loaded_is_reported_in_one_line(
    folder: Path, content: str, message: str
) -> None:
    path = folder / "x.py"
    path.write_text(content)

    with pytest.raises(LoadError) as caught:
        loading.load_spider(path)

    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_class_of_the_file_can_be_named(folder: Path) -> None:
    path = folder / "two.py"
    path.write_text(spider("Books") + spider("Toys"))

    assert loading.load_spider(path, "Toys").name == "toys"
    with pytest.raises(
        LoadError, match=r"has no Spider class 'Toy'; it has Books, Toys"
    ):
        loading.load_spider(path, "Toy")


def test_a_missing_file_is_named(folder: Path) -> None:
    with pytest.raises(LoadError, match=r"There is no file spiders/none\.py"):
        loading.load_spider(folder / "none.py")


def test_a_class_without_a_name_may_be_a_base_class(folder: Path) -> None:
    path = folder / "based.py"
    path.write_text(
        "from crawler import Spider\n"
        "class Shop(Spider):\n    scope = 'site'\n"
        "class Books(Shop):\n    name = 'books'\n"
    )

    assert loading.load_spider(path).name == "books"


def test_a_spider_may_import_the_files_beside_it(folder: Path) -> None:
    (folder / "pricing_of_this_test.py").write_text("CURRENCY = 'EUR'\n")
    (folder / "books.py").write_text(
        "from pricing_of_this_test import CURRENCY\n" + spider("Books")
    )

    assert loading.load_spider(folder / "books.py").name == "books"


def test_a_spider_named_like_a_python_module_does_not_replace_the_module(
    folder: Path,
) -> None:
    (folder / "json.py").write_text(spider("Json"))

    found = loading.load_folder(folder, folder.parent)
    import json

    assert list(found.spiders) == ["json"]
    assert json.loads("1") == 1


def test_a_folder_gives_its_spiders_and_its_broken_files(folder: Path) -> None:
    (folder / "books.py").write_text(spider("Books"))
    (folder / "deep").mkdir()
    (folder / "deep" / "toys.py").write_text(spider("Toys"))
    (folder / "broken.py").write_text("class")
    (folder / "helpers.py").write_text("x = 1\n")

    found = loading.load_folder(folder, folder.parent)

    assert sorted(found.spiders) == ["books", "toys"]
    assert [path.name for path in found.broken] == ["broken.py"]


@pytest.mark.parametrize(
    "name", ["_private.py", ".hidden.py", "test_books.py", "conftest.py", "__init__.py"]
)
def test_files_whose_name_excludes_spiders_are_not_run(folder: Path, name: str) -> None:
    (folder / name).write_text("raise SystemExit\n")

    assert not loading.load_folder(folder, folder.parent).broken


def test_two_spiders_with_the_same_name_are_recorded(folder: Path) -> None:
    (folder / "a.py").write_text(spider("Books"))
    (folder / "b.py").write_text(spider("Books"))

    found = loading.load_folder(folder, folder.parent)

    assert not found.spiders
    assert [loading.place(each) for each in found.doubles["books"]] == [
        "spiders/a.py:4",
        "spiders/b.py:4",
    ]


def test_a_missing_folder_has_no_spiders(tmp_path: Path) -> None:
    found = loading.load_folder(tmp_path / "none", tmp_path)

    assert not found.spiders
    assert not found.broken
