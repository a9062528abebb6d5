"""`crawl run` as a whole: command line, exit codes and files."""

import asyncio
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.cli.dispatch import execute
from crawler.store.base import RunStart
from crawler.store.lock import JobLock
from crawler.store.sqlite.reader import SqliteReader
from crawler.store.sqlite.store import SqliteStore
from tests.cli.sites import (
    PATIENCE,
    SHOP,
    Site,
    crawl,
    environment,
    serving,
    starting,
    wait_for_request,
    write_spider,
)


@pytest.fixture(autouse=True)
def own_path() -> Iterator[None]:
    """Folders that are made importable are not so for the other tests."""
    before = sys.path[:]
    yield
    sys.path[:] = before


@pytest.fixture
def shop() -> Iterator[Site]:
    with serving(SHOP) as site:
        yield site


@pytest.fixture
def project(tmp_path: Path, shop: Site, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_spider(tmp_path, shop.url)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def titles(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return sorted(json.loads(line)["title"] for line in lines)


ALL = ["One", "Shop", "Two"]

#: Modules that a plain crawl does not need. Each costs a start time and memory.
UNNEEDED = {"cronsim", "crawler.jobs", "difflib", "sysconfig"}


def test_without_an_output_items_go_to_a_file_named_in_the_last_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = execute(["run", "books"]), execute(["run", "books"])

    said = capsys.readouterr()
    assert (first, second) == (0, 0)
    assert titles(project / "out" / "books-1.jsonl") == ALL
    assert titles(project / "out" / "books-2.jsonl") == ALL
    assert said.err.splitlines()[-1] == "3 items in out/books-2.jsonl"
    assert said.out == ""


def test_a_crawl_imports_no_unneeded_module(project: Path) -> None:
    # What coverage imports on its own account was there before.
    code = (
        "import sys; before = set(sys.modules)\n"
        "from crawler.cli.dispatch import execute\n"
        "assert execute(['run', 'books', '-q']) == 0\n"
        f"print(*sorted((set(sys.modules) - before) & {UNNEEDED!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )

    assert done.stdout.split() == []


def test_a_run_in_memory_takes_the_first_free_number(project: Path) -> None:
    (project / "out").mkdir()
    (project / "out" / "books-1.jsonl").write_text("precious")
    (project / "out" / "books-2.jsonl.part").write_text("of another run")

    code = execute(["run", "books", "-q", "-s", "storage.mode=memory"])

    assert code == 0
    assert titles(project / "out" / "books-3.jsonl") == ALL
    assert (project / "out" / "books-1.jsonl").read_text() == "precious"
    assert not (project / ".crawl").exists()


def test_the_default_output_works_after_the_state_was_deleted(
    project: Path,
) -> None:
    (project / "out").mkdir()
    (project / "out" / "books-1.jsonl").write_text("precious")

    code = execute(["run", "books", "-q"])

    assert code == 0
    assert titles(project / "out" / "books-1-2.jsonl") == ALL
    assert (project / "out" / "books-1.jsonl").read_text() == "precious"


def test_items_go_to_every_output_that_is_named(project: Path) -> None:
    code = execute(["run", "books", "-q", "-o", "a/x.jsonl", "-o", "a/x.csv"])

    assert code == 0
    assert titles(project / "a" / "x.jsonl") == ALL
    assert len((project / "a" / "x.csv").read_text().splitlines()) == 4


def test_standard_output_receives_only_items(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = execute(["run", "books", "-o", "-"])

    said = capfd.readouterr()
    assert code == 0
    found = [json.loads(line)["title"] for line in said.out.splitlines()]
    assert sorted(found) == ALL
    assert said.err.splitlines()[-1] == "3 items written"


def test_a_file_of_the_job_is_replaced_but_not_a_file_of_another_program(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "other.jsonl").write_text('{"title": "Old"}\n')
    own = [execute(["run", "books", "-q", "-o", "x.jsonl"]) for _ in range(2)]

    refused = execute(["run", "books", "-q", "-o", "other.jsonl"])
    told = capsys.readouterr().err
    appended = execute(["run", "books", "-q", "-o", "other.jsonl", "--append"])

    assert own == [0, 0]
    assert refused == 2
    assert "use --overwrite, --append or another name" in told
    assert len(told.splitlines()) == 1
    assert appended == 0
    assert titles(project / "other.jsonl") == ["Old", *ALL]


def test_overwrite_replaces_an_existing_file(project: Path) -> None:
    (project / "other.jsonl").write_text("something else\n")

    code = execute(["run", "books", "-q", "-o", "other.jsonl", "--overwrite"])

    assert code == 0
    assert titles(project / "other.jsonl") == ALL


@pytest.mark.parametrize(
    ("option", "expected"), [("--pages", "pages_limit"), ("--items", "items_limit")]
)
def test_a_limit_is_exact_and_ends_with_exit_code_zero(
    project: Path, option: str, expected: str
) -> None:
    code = execute(["run", "books", "-q", option, "2", "--summary", "s.json"])

    summary = json.loads((project / "s.json").read_text())
    assert code == summary["exit_code"] == 0
    assert summary["finish_reason"] == expected
    assert summary[option.removeprefix("--")] == 2


def test_the_summary_has_the_documented_keys_and_adds_up(project: Path) -> None:
    execute(["run", "books", "-q", "--summary", "deep/s.json"])

    summary = json.loads((project / "deep" / "s.json").read_text())
    keys = (
        "spider job run started finished finish_reason exit_code pages items dropped "
        "failed redirected retried skipped pending bytes seconds pages_per_second "
        "statuses errors http_versions connections hosts peak_rss_mb resumed version"
    )
    assert set(keys.split()) <= set(summary)
    ended = summary["pages"] + summary["failed"] + summary["redirected"]
    left_out = sum(summary["skipped"].values())
    assert summary["found"] == ended + left_out + summary["pending"] == 3


def test_a_kill_after_the_end_of_a_run_leaves_its_summary(tmp_path: Path) -> None:
    with serving(SHOP) as site:
        path = write_spider(tmp_path, site.url)
        killed = (
            "\n    async def closed(self, report):\n        os.kill(os.getpid(), 9)\n"
        )
        path.write_text("import os\n" + path.read_text() + killed)
        done = crawl(tmp_path, "run", "books", "--summary", "s.json")

    assert done.returncode == -9
    summary = json.loads((tmp_path / "s.json").read_text())
    assert (summary["finish_reason"], summary["items"]) == ("finished", 3)
    (kept,) = SqliteReader(tmp_path / ".crawl").runs("books")
    assert kept.reason == "finished"


def test_a_summary_that_cannot_be_written_is_reported_after_the_report(
    tmp_path: Path,
) -> None:
    with serving(SHOP, hold=("/two",)) as site:
        write_spider(tmp_path, site.url)
        with starting(tmp_path, "run", "books", "--summary", "s.json") as process:
            wait_for_request(site, process)
            (tmp_path / "s.json").mkdir()
            site.held["/two"].set()
            said = process.communicate()[1]

    assert process.returncode == 1
    assert "books, run 1: finished" in said
    assert said.splitlines()[-1].startswith(
        "crawl: --summary s.json: the summary was not written"
    )


def test_the_summary_can_go_to_standard_output_if_no_items_do(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = execute(["run", "books", "-q", "--summary", "-"])
    summary = json.loads(capsys.readouterr().out)
    bad = execute(["run", "books", "-q", "--summary", "-", "-o", "-"])

    assert (good, summary["pages"], bad) == (0, 3, 2)
    assert "both write to standard output" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pages", "options", "expected"),
    [
        pytest.param(SHOP, ["--min-items", "3"], 0, id="enough items"),
        pytest.param(SHOP, ["--min-items", "4"], 3, id="too few items"),
        pytest.param({"/": (500, "")}, [], 3, id="the start URL failed"),
        pytest.param(
            {"/": (500, "")}, ["--max-error-rate", "1"], 0, id="failures are allowed"
        ),
        pytest.param({**SHOP, "/two": (404, "")}, [], 3, id="one of three failed"),
        pytest.param(
            {**SHOP, "/two": (404, "")}, ["--max-error-rate", "50%"], 0, id="half may"
        ),
    ],
)
def test_the_exit_code_depends_on_the_result_of_the_run(
    tmp_path: Path,
    pages: dict[str, str],
    options: list[str],
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(pages) as site:
        write_spider(tmp_path, site.url)
        code = execute(["run", "books", "-q", "-s", "retry.attempts=1", *options])

    assert code == expected


MEMORY = ("run", "books", "-s", "storage.mode=memory")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "boks"], "did you mean the spider 'books'?"),
        (["run", "books", "-a", "shelv=x"], "did you mean 'shelf'?"),
        (["run", "books", "-s", "crawl.worker=1"], "did you mean 'workers'?"),
        (["run", "books", "-s", "crawl.workers=0"], "must be at least 1"),
        (["run", "books", "-o", "x.txt"], "valid are .jsonl"),
        (["run", "books", "-o", "spiders"], "has an unknown ending"),
        (["run", "books", "-o", "ftp://h/x.jsonl"], "unknown scheme ftp://"),
        (["run", "books", "--pages", "0"], "is not a whole number above 0"),
        (["run", "books", "--time", "soon"], "is not a duration"),
        (["run", "books", "--job", "a/b"], "cannot name a job"),
        ([*MEMORY, "--job", "../b"], "cannot name a job"),
        ([*MEMORY, "--job", "a\nb"], "cannot name a job"),
        ([*MEMORY, "--job", "x" * 300], "cannot name a job"),
        (["run", "books", "-s", "storage.dir=."], "holds other files, such as"),
        (["run", "books", "--summary", "spiders"], "is a folder"),
        (["run", "books", "--overwrite", "--append"], "not allowed with"),
        (["run"], "required: NAME"),
        (["rnu"], "did you mean 'run'?"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_two(
    project: Path,
    shop: Site,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = execute(arguments)

    told = capsys.readouterr().err
    assert code == 2
    assert message in told
    assert len(told.splitlines()) == 1
    assert shop.asked == []


def test_an_unfinished_run_cannot_be_resumed_with_other_arguments(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(_begin(project / ".crawl", shelf="fiction"))

    other = execute(["run", "books", "-a", "shelf=poetry"])
    told = capsys.readouterr().err
    fresh = execute(["run", "books", "-q", "-a", "shelf=poetry", "--fresh"])

    assert (other, fresh) == (2, 0)
    for way_out in ("use the same spider and arguments", "--fresh", "--job"):
        assert way_out in told


async def _begin(folder: Path, **arguments: str) -> None:
    """A run that was stopped before its first page."""
    text = json.dumps(arguments, separators=(",", ":"))
    store = SqliteStore(folder)
    await store.open(RunStart("books", "books", text, 0.0))
    await store.close(0.0)


def test_a_job_that_another_process_runs_is_not_touched(tmp_path: Path) -> None:
    with serving(SHOP, hold=("/two",)) as site:
        write_spider(tmp_path, site.url)
        with starting(tmp_path, "run", "books") as process:
            while not site.waiting.wait(0.02):
                assert process.poll() is None
            second = crawl(tmp_path, "run", "books")
            site.held["/two"].set()
            process.communicate()

    assert (second.returncode, process.returncode) == (5, 0)
    assert f"process {process.pid} " in second.stderr
    assert len(second.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(["-o", "items.xls"], id="ending"),
        pytest.param(["-o", "other.jsonl"], id="file of somebody else"),
        pytest.param(["-o", "other.db"], id="database of somebody else"),
        pytest.param(["-o", "spiders"], id="folder"),
        pytest.param(["-o", "other.csv", "--append"], id="no table"),
        pytest.param(["-o", "a.json", "-o", "./a.json"], id="one file twice"),
        pytest.param(["-s", "http.ca_file=missing.pem"], id="certificate"),
    ],
)
def test_wrong_usage_is_reported_before_a_job_that_another_process_runs(
    project: Path, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("other.jsonl", "other.db"):
        (project / name).write_text("precious")
    (project / "other.csv").write_bytes(b"\xff")
    (project / ".crawl").mkdir()
    lock = JobLock(project / ".crawl" / "books.lock")
    lock.acquire("books", 0.0)

    codes = execute(["run", "books", *wrong]), execute(["run", "books"])
    lock.release()

    assert codes == (2, 5)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_rejected_output_leaves_no_run_behind(project: Path) -> None:
    (project / "other.jsonl").write_text("precious")

    refused = execute(["run", "books", "-q", "-o", "other.jsonl"])
    others = execute(["run", "books", "-q", "-a", "shelf=poetry"])

    assert (refused, others) == (2, 0)
    assert [each.number for each in SqliteReader(project / ".crawl").runs("books")] == [
        1
    ]


def test_a_reader_that_closes_the_pipe_ends_the_crawl_with_exit_code_zero(
    tmp_path: Path,
) -> None:
    links = "".join(f"<a href=/{n}>{n}</a>" for n in range(200))
    pages = {f"/{n}": f"<h1>{'x' * 2000}</h1>" for n in range(200)}
    with serving({"/": f"<h1>all</h1>{links}", **pages}) as site:
        write_spider(tmp_path, site.url)
        with starting(tmp_path, "run", "books", "-o", "-") as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            process.stdout.close()
            process.stdout = None
            _, said = process.communicate()

    assert json.loads(first)["title"] == "all"
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert "Error" not in said


@pytest.mark.parametrize("closed", ["stderr", "stdout", "both"])
def test_closed_standard_streams_do_no_harm(project: Path, closed: str) -> None:
    close = {"stderr": "2>&-", "stdout": ">&-", "both": ">&- 2>&-"}[closed]
    command = f"{shlex.quote(sys.executable)} -m crawler.cli run books {close}"
    path = shlex.quote(f"{os.environ.get('PYTHONPATH', '')}:{ROOT}")

    status = os.system(f"PYTHONPATH={path} {command}")

    assert os.waitstatus_to_exitcode(status) == 0
    assert titles(project / "out" / "books-1.jsonl") == ALL


ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "more",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
    ],
)
def test_a_terminal_with_ascii_only_is_supported(
    tmp_path: Path, more: dict[str, str]
) -> None:
    with serving({"/": "<h1>Snow ☃</h1>"}) as site:
        path = write_spider(tmp_path, site.url)
        text = path.read_text().replace(
            "        yield", "        print('☃')\n        yield", 1
        )
        path.write_text(text, encoding="utf-8")
        done = crawl(tmp_path, "run", "books", **more)

    assert done.returncode == 0, done.stderr
    assert done.stdout == "\\u2603\n"
    assert titles(tmp_path / "out" / "books-1.jsonl") == ["Snow ☃"]


def test_an_invalid_config_file_is_reported_in_one_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "config.toml").write_text("[crawl\n")

    code = execute(["run", "books"])

    told = capsys.readouterr().err
    assert code == 2
    assert "config.toml is not valid TOML" in told
    assert len(told.splitlines()) == 1


def test_a_refused_connection_is_reported_with_advice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving({}) as site:
        write_spider(tmp_path, site.url)

    code = execute(["run", "books", "-s", "retry.attempts=1"])

    told = capsys.readouterr().err
    assert code == 3
    assert "connect_refused" in told
    assert "no server listens there; check the port" in told
    assert "Traceback" not in told


def test_json_messages_are_one_object_per_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = execute(["run", "books", "--log-format", "json"])
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    bad = execute(["run", "boks", "--log-format", "json"])
    error = json.loads(capsys.readouterr().err)

    assert (good, bad) == (0, 2)
    assert [line["report"]["pages"] for line in lines if "report" in line] == [3]
    assert error["level"] == "error"


@pytest.mark.parametrize("keyword", ["async def", "def"])
def test_an_error_of_user_code_is_one_line_and_a_file_with_the_traceback(
    project: Path, keyword: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "spiders" / "books.py"
    path.write_text(
        path.read_text()
        + f"\n    {keyword} closed(self, report):\n        raise LookupError('gone')\n"
    )

    code = execute(["run", "books"])

    told = [line for line in capsys.readouterr().err.splitlines() if "gone" in line]
    assert code == 1
    assert len(told) == 1
    place = "spiders/books.py:14 in closed"
    assert told[0].startswith(f"crawl: {place}: LookupError: gone, see .crawl/crash-")
    log = Path(told[0].rpartition(" ")[2])
    assert "Traceback" in log.read_text()


def test_items_are_kept_when_the_disk_is_full(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "small"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=64k tmpfs {disk} 2>/dev/null"):
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        with serving({"/": f"<h1>{'x' * 100_000}</h1>"}) as site:
            write_spider(tmp_path, site.url)
            with starting(tmp_path, "run", "books", "-o", "small/x.jsonl") as process:
                assert process.stderr is not None
                said = ""
                while "failed; the crawl waits" not in said:
                    line = process.stderr.readline()
                    assert line, said
                    said += line
                process.terminate()
                said += process.communicate()[1]
            again = crawl(tmp_path, "run", "books", "-q", "-o", "x.jsonl")
    finally:
        os.system(f"umount {disk}")

    assert process.returncode == 4, said
    go_on = "resume with: crawl run books -o small/x.jsonl"
    assert f"1 item so far, stored; {go_on}" in said
    assert again.returncode == 0, again.stderr
    assert titles(tmp_path / "x.jsonl") == ["x" * 100_000]


def test_the_command_in_a_report_reproduces_the_failure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving({"/?a=1&b=2": "<p>no title</p>"}) as site:
        path = write_spider(tmp_path, site.url)
        path.write_text(path.read_text().replace('/"]', '/?a=1&b=2"]'))
        path.rename(tmp_path / "alone.py")
        ran = execute(["run", "alone.py"])
        told = capsys.readouterr().err
        command = told.partition("repeat it with: ")[2].splitlines()[0]
        again = execute(shlex.split(command)[1:])

    assert (ran, again) == (3, 3)
    assert "The callback failed: IndexError" in capsys.readouterr().err


def test_a_spider_without_start_urls_is_explained(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.py").write_text(
        "from crawler import Spider\nclass Empty(Spider):\n    name = 'empty'\n"
    )

    code = execute(["run", "empty.py"])

    assert code == 0
    assert "give the spider start_urls, or a start()" in capsys.readouterr().err


def test_an_error_in_start_is_reported_with_its_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "spiders" / "books.py"
    path.write_text(
        path.read_text()
        + "\n    async def start(self):\n        raise LookupError('no list')\n"
        + "        yield\n"
    )

    code = execute(["run", "books", "--summary", "s.json"])

    summary = json.loads((project / "s.json").read_text())
    assert code == summary["exit_code"] == 1
    assert summary["finish_reason"] == "start_error"
    assert (
        "The spider's start() failed: LookupError: no list (spiders/books.py:"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("more", [[], ["-q"], ["--log-format", "json"]])
def test_exit_code_three_names_the_limit_that_was_missed(
    project: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = execute(["run", "books", "--min-items", "5", *more])

    told = capsys.readouterr().err
    text = "the run has 3 items; --min-items requires 5"
    assert code == 3
    assert told.count(text) == (2 if "json" in more else 1)  # a line, and the report
    if "-q" in more:
        assert told == f"crawl: exit code 3: {text}\n"
    execute(["report", "books"])
    assert f"! exit code 3: {text}" in capsys.readouterr().out


def test_the_command_to_resume_shows_no_secret(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving({"/": (404, "")}) as site:
        path = write_spider(project, site.url)
        path.write_text(path.read_text().replace("shelf", "token"))
        assert execute(["run", "books", "-a", "token=abc123"]) == 3
        assert execute(["retry", "books"]) == 0
        assert execute(["runs"]) == 0
        assert execute(["run", "books", "-a", "token=def456"]) == 2

    told = "".join(capsys.readouterr())
    assert told.count("crawl run books -a 'token=…'") == 2
    assert "another value of a secret" in told
    assert "abc123" not in told
    assert "def456" not in told


def test_a_damaged_state_is_reported_before_its_output_is_checked(
    project: Path, shop: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["run", "books", "-q", "-o", "out.db"]) == 0
    (project / ".crawl" / "books.db").write_bytes(b"junk")
    capsys.readouterr()

    code = execute(["run", "books", "-q", "-o", "out.db"])

    told = capsys.readouterr().err
    assert code == 2
    assert "books.db is damaged" in told
    assert "--overwrite" not in told


def test_prints_of_a_spider_do_not_mix_with_its_items(tmp_path: Path) -> None:
    with serving(SHOP) as site:
        path = write_spider(tmp_path, site.url)
        text = path.read_text().replace(
            "        yield", "        print('seen', response.url)\n        yield", 1
        )
        path.write_text(f"print('loaded')\n{text}")
        done = crawl(tmp_path, "run", "books", "-o", "-")
        one = crawl(tmp_path, "parse", f"{site.url}/one", "--spider", "books")

        read = crawl(tmp_path, "run", "books", "-o", "-", "--log-format", "json")

    lines = [json.loads(line) for line in read.stderr.splitlines()[1:]]
    assert sum(line.get("logger") == "print" for line in lines) == 3
    assert all(json.loads(line) for line in done.stdout.splitlines())
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr.count("seen http") == 3
    assert "loaded" in done.stderr
    assert json.loads(one.stdout)
    assert "seen http" in one.stderr


def test_json_log_lines_name_the_run_and_the_failure(tmp_path: Path) -> None:
    with serving({**SHOP, "/one": (404, "")}) as site:
        write_spider(tmp_path, site.url)
        done = crawl(tmp_path, "run", "books", "--log-format", "json")

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    (failed,) = [line for line in lines if line.get("reason") == "http_status"]
    assert failed["url"] == f"{site.url}/one"
    assert failed["host"] == site.url.removeprefix("http://")
    assert failed["status"] == 404
    assert {(line["spider"], line["job"], line["run"]) for line in lines} == {
        ("books", "books", 1)
    }
