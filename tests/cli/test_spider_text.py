"""The generated text of a new spider passes formatter, linter and type checker."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.cli.first_look import FirstPart, Look
from crawler.cli.spider_text import Names, quoted, spider_text
from tests.cli.sites import ROOT, environment

LONG = "section.a-class-with-a-name > article.another-one"
LOOKS: dict[str, Look | None] = {
    "nothing": None,
    "title": Look(title="h1"),
    "list": Look(
        items="article.book",
        count=3,
        parts=(
            FirstPart("title", "h3 a", "title"),
            FirstPart("url", "a", "href", is_everywhere=False),
            FirstPart("price", '[class="price"]'),
        ),
        next_link="li.next a",
    ),
    "long": Look(
        items=LONG,
        parts=(
            FirstPart("image", f".{'c' * 30}", "src", is_everywhere=False),
            FirstPart("text", "p"),
        ),
        next_link=f'a[aria-label="{"Next page of this list " * 3}"]',
    ),
    "no next": Look(
        items="li.x", parts=(FirstPart("title", "a"), FirstPart("text", "p"))
    ),
    "linked data": Look(linked="Product", paths=("name", "offers.price", "brand.name")),
    "rows": Look(is_json=True, rows='a"b', count=1),
    "whole rows": Look(is_json=True, count=1),
    "rss": Look(entries="item", count=1),
    "atom": Look(entries="{http://www.w3.org/2005/Atom}entry", count=1),
}
NAMES = Names("my-shop", "MyShop", "https://x.example/a?b='c", "x.example")
LONG_NAMES = Names("s", "S", f'https://x.example/{"path/" * 20}?q=\\"', "x.example")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All kinds of spiders, each in a file."""
    made = tmp_path_factory.mktemp("texts")
    for number, look in enumerate(LOOKS.values()):
        for prefix, names in (("a", NAMES), ("b", LONG_NAMES)):
            path = made / f"{prefix}{number}.py"
            path.write_text(spider_text(names, look), encoding="utf-8")
    return made


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--isolated", "--select", "E4,E7,E9,F,I,UP,B,SIM,RUF"],
        ["ruff", "format", "--isolated", "--check"],
        ["mypy", "--strict"],
    ],
    ids=["ruff", "format", "mypy"],
)
def test_all_generated_spiders_pass_the_checks(
    command: list[str], folder: Path
) -> None:
    extra = ["--ignore", "RUF012"] if "--select" in command else []
    done = subprocess.run(
        [sys.executable, "-m", *command, *extra, "."],
        cwd=folder,
        env=environment(MYPYPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "text", ["plain", 'with "', "with '", "both \" and '", "back\\slash", "a\nb", "ä\0"]
)
def test_a_literal_evaluates_to_its_text(text: str) -> None:
    assert ast.literal_eval(quoted(text)) == text
