"""README and guide are correct: their code runs, and nothing is missing in them."""

import argparse
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from runpy import run_path

import pytest

from crawler import Reason, Request, crawl, settings
from crawler.cli.dispatch import modules
from crawler.cli.loading import load_spider
from crawler.cli.parser import parser_of
from crawler.jobs.definition import JobSettings, jobs_of
from crawler.settings import type_of_section
from crawler.sinks.spec import spec_of
from crawler.stats import FinishReason, Report
from crawler.testing import FakeSite
from crawler.version import __version__
from tests.web.documents import PAGES, ROOT, blocks, commands, outputs, run_page

README = ROOT / "README.md"
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def text_of(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:  # noqa: SLF001  # argparse has no other door
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return dict(action.choices)
    return {}


@pages
def test_the_python_of_a_page_runs_and_prints_what_the_page_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    printed = {block.end: text for block, text in run_page(page)}

    said = outputs(page)
    assert {line: printed[line] for line in said} == said


@pages
def test_the_commands_of_a_page_exist_with_their_options(page: Path) -> None:
    parser = parser_of([module.add for module in modules()], __version__)

    unknown = []
    for line, words in commands(page):
        try:
            parsed = parser.parse_args(words)
        except SystemExit as exc:
            unknown += [f"line {line}: crawl {' '.join(words)}"] * bool(exc.code)
        else:
            flags = getattr(parsed, "settings", [])
            settings.build([settings.from_flags(flags)])

    assert unknown == []


@pages
def test_the_configuration_of_a_page_is_valid(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        if block.language == "toml":
            name = "pyproject.toml" if "[tool.crawl" in block.text else "config.toml"
            (tmp_path / name).write_text(block.text, encoding="utf-8")
            layer = settings.from_file(tmp_path)[0]
            (tmp_path / name).unlink()
            assert layer.values or layer.jobs or layer.outputs, (
                f"{page.name}:{block.line}"
            )
            settings.build([layer])
            assert jobs_of(layer, datetime.now(UTC)).broken == {}
            for output, table in layer.outputs.items():
                spec_of(output, table, name)


@pages
def test_the_links_of_a_page_are_valid(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))

    dead = [target for target in targets if not (page.parent / target).exists()]

    assert dead == []


def test_every_page_of_the_guide_is_in_its_contents() -> None:
    contents = text_of("index.md")

    missing = [
        page.name
        for page in PAGES
        if page.parent.name == "docs" and f"({page.name})" not in contents
    ]

    assert missing == ["index.md"]


def test_every_setting_is_explained() -> None:
    page = text_of("configuration.md")

    missing = [
        f"{section}.{key}"
        for section, kind in type_of_section.items()
        for key in kind.__struct_fields__
        if f"| `{key}` |" not in _part(page, f"## [{section}]")
    ]

    assert missing == []


def test_every_setting_of_a_job_is_explained() -> None:
    page = text_of("batch-jobs.md")
    keys = JobSettings.__struct_fields__

    assert [key for key in keys if f"| `{key}` |" not in page] == []


def test_every_command_is_explained_with_all_its_options() -> None:
    page = text_of("command-line.md")
    parser = parser_of([module.add for module in modules()], __version__)

    missing = []
    for name, command in commands_of(parser).items():
        part = _part(page, f"## crawl {name}")
        missing += [
            f"crawl {name} {option}"
            for action in command._actions  # noqa: SLF001
            if action.help != argparse.SUPPRESS  # only for the crawler's own processes
            for option in action.option_strings
            if f"`{option}" not in part and option not in ("-h", "--help")
        ]
        assert part, f"crawl {name}"

    assert missing == []


def test_every_reason_is_explained() -> None:
    page = text_of("errors.md")
    reasons = [*Reason, *FinishReason]

    assert [reason for reason in reasons if f"`{reason}`" not in page] == []


def test_the_guide_lists_the_retried_failures() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| (yes|no) \|$", text_of("errors.md"), re.M)

    said = {Reason(name): verdict == "yes" for name, verdict in rows}

    assert len(said) > 20
    assert said == {reason: reason.is_retried for reason in said}


def test_every_key_of_the_summary_is_explained() -> None:
    page = text_of("command-line.md")
    report = Report("s", "s", 1, "", "", FinishReason.FINISHED)

    assert [key for key in report.summary() if f"`{key}`" not in page] == []


def test_the_readme_is_short_and_names_every_dependency() -> None:
    text = README.read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    required = sum(extras.values(), project["project"]["dependencies"])
    names = set(extras) | {
        re.split(r"[<>=;\[ ]", requirement)[0] for requirement in required
    }

    assert len(text.splitlines()) < 150
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


@pytest.fixture
def spider_of_the_readme(tmp_path: Path) -> Path:
    """The spider typed off the page, in a project's folder."""
    text = next(block.text for block in blocks(README) if block.language == "python")
    path = tmp_path / "spiders" / "books.py"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return path


def test_the_spider_of_the_readme_runs_unchanged(spider_of_the_readme: Path) -> None:
    shelf = '<article class="book"><h3>Emma</h3><p class="price">£9</p></article>'
    site = FakeSite(
        {
            "https://books.example/": f'{shelf}<a class="next" href="/2">next</a>',
            "https://books.example/2": shelf.replace("Emma", "Persuasion"),
        }
    )

    report = crawl(load_spider(spider_of_the_readme), transport=site)

    assert report.items == [
        {"title": "Emma", "price": "£9"},
        {"title": "Persuasion", "price": "£9"},
    ]


def test_the_report_names_what_the_readmes_spider_does_not_find(
    spider_of_the_readme: Path,
) -> None:
    site = FakeSite(
        {"https://books.example/": "<article class=book>no title</article>"}
    )

    report = crawl(load_spider(spider_of_the_readme), transport=site)

    advice = report.advice[0]
    assert "'h3' matched nothing on https://books.example/" in advice
    assert re.search(r"books\.py:\d+ in parse", advice)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_spider_of_the_readme_passes_the_strict_type_checker(
    spider_of_the_readme: Path,
) -> None:
    path = str(spider_of_the_readme)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_the_changelog_contains_the_current_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert f"## [{__version__}]" in changelog or "## [Unreleased]" in changelog


def test_the_guide_lists_all_attributes_of_a_request() -> None:
    page = text_of("requests-and-responses.md")
    names = list(Request.__init__.__annotations__)

    missing = [
        name
        for name in names
        if name not in ("return", "unknown") and f"`{name}`" not in page
    ]

    assert missing == []


def _part(page: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its kind."""
    found = re.search(
        rf"^{re.escape(heading)}(?=[\s,]).*?(?=^## |\Z)", page, re.M | re.S
    )
    return found[0] if found else ""


def test_the_reference_has_every_public_name() -> None:
    made = run_path(str(ROOT / "scripts" / "reference_pages.py"))

    for package, text in zip(made["PACKAGES"], made["pages"]().values(), strict=True):
        names = import_module(package).__all__
        headings = re.findall(r"^(?:::: |## `)([\w.]+)", text, re.M)
        assert len(headings) == len(names), package
        assert {name.rpartition(".")[2] for name in headings} == set(names), package
