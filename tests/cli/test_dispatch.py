"""The entry point of the command line: help, first steps, and what it imports."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.cli.dispatch import COMMANDS, execute, modules
from crawler.cli.parser import parser_of
from crawler.version import __version__
from tests.cli.sites import PATIENCE, crawl, environment


def names() -> list[str]:
    """All commands, as the parser knows them."""
    parser = parser_of([module.add for module in modules()], __version__)
    return re.findall(r"^    ([a-z]+) ", parser.format_help(), re.MULTILINE)


def test_a_command_line_loads_only_the_module_of_its_command() -> None:
    assert list(COMMANDS) == names()
    for name in COMMANDS:
        (module,) = modules([name, "--help"])
        parser = parser_of([module.add], __version__)
        assert re.search(rf"^    {name} ", parser.format_help(), re.MULTILINE)


@pytest.mark.parametrize("name", names())
def test_every_command_has_help_with_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = execute([name, "--help"])

    told = capsys.readouterr().out
    assert code == 0
    assert "example:" in told
    assert f"\n  crawl {name}" in told


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    code = execute(["--help"])

    told = capsys.readouterr().out
    assert code == 0
    for name in ("demo", "new", "list", "run", "fetch", "parse", "why", "retry"):
        assert f"    {name} " in told


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--version"]) == 0
    assert capsys.readouterr().out == f"exact-crawler {__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["rnu"]])
def test_help_and_typos_import_no_slow_modules(arguments: list[str]) -> None:
    heavy = {"anyio", "asyncio", "h2", "httpx", "jinja2", "msgspec", "rich"}
    heavy |= {"selectolax"}
    code = (
        "import sys; from crawler.cli import main\n"
        f"main({arguments!r})\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "[]"


def test_without_a_command_in_an_empty_folder_the_first_steps_are_shown(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    code = execute([])

    told = capsys.readouterr().out
    assert code == 0
    assert "crawl demo" in told
    assert "crawl new books https://books.example/" in told


def test_without_a_command_in_a_project_the_next_commands_are_shown(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text('[crawl]\nspiders = "mine"\n')
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "books.py").write_text("")

    code = execute([])

    told = capsys.readouterr().out
    assert code == 0
    assert "crawl list" in told
    assert "crawl run NAME" in told


@pytest.mark.parametrize("target", ["/dev/full", "closed"])
def test_an_output_stream_that_cannot_be_written_is_reported_in_one_line(
    tmp_path: Path, target: str
) -> None:
    if target == "/dev/full" and not Path(target).exists():
        pytest.skip("there is no /dev/full here")
    redirect = ">&-" if target == "closed" else f"> {target}"

    done = subprocess.run(
        f"'{sys.executable}' -m crawler.cli list {redirect}",
        shell=True,
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    if target == "closed":  # as for any other program, that is nobody's fault
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert done.returncode == 1
        assert done.stderr == (
            "crawl: Standard output cannot be written: No space left on device\n"
        )


def test_the_command_line_can_be_started_as_a_module(tmp_path: Path) -> None:
    done = crawl(tmp_path, "--version")

    assert (done.returncode, done.stdout) == (0, f"exact-crawler {__version__}\n")
