"""`crawl work`: many processes crawl one run, with a server's log as witness."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from tests.cli.sites import crawl, starting
from tests.cli.team_site import TeamSite, serving_team, write_team_spider
from tests.postgres import Server

pytestmark = pytest.mark.alone

HOSTS, PAGES, RATE = 12, 40, 8.0
#: The interval of a host, less what a busy machine may take off a gap on its way.
LEAST = 0.3 / RATE
#: Requests that may come too early in a crawl whose processes are killed and paused.
MOST_LATE = 2


def titles(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return sorted(json.loads(line)["title"] for line in lines)


def until(site: TeamSite, count: int) -> None:
    """Return when so many requests were made."""
    end = time.monotonic() + 30
    while len(site.log) < count:
        assert time.monotonic() < end, "the crawl stands still"
        time.sleep(0.02)


def until_joined(database: str, count: int) -> None:
    """Wait until so many processes have joined the first run."""
    psycopg = pytest.importorskip("psycopg", reason="needs the extra postgres")
    end = time.monotonic() + 30
    joined = 0
    while joined < count:
        assert time.monotonic() < end, "too few processes have joined"
        with (
            suppress(psycopg.errors.UndefinedTable),
            psycopg.connect(database) as connection,
        ):
            query = "SELECT count(*) FROM crawler_run_1.workers"
            ((joined,),) = connection.execute(query).fetchall()
        time.sleep(0.05)


def ended(process: subprocess.Popen[str]) -> str:
    _, told = process.communicate(timeout=50)
    return told


def test_three_processes_crawl_one_run(tmp_path: Path, database: str) -> None:
    at = ("-s", f"storage.url={database}")
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        with (
            starting(tmp_path, "work", "team", *at) as first,
            starting(tmp_path, "work", "team", *at) as second,
            starting(tmp_path, "run", "team", *at) as leader,
        ):
            told = [ended(process) for process in (leader, first, second)]

    codes = (leader.returncode, first.returncode, second.returncode)
    assert codes == (0, 0, 0), told
    assert titles(tmp_path / "out" / "team-1.jsonl") == site.all_titles
    paths = Counter((host, path) for _, host, path in site.log)
    assert max(paths.values()) == 1
    assert min(site.gaps_between_clients()) >= LEAST
    assert len(site.asked_robots()) == HOSTS


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("fetches", ["shared", "mutual"])
def test_fetches_of_sites_that_other_processes_own_keep_their_pace(
    tmp_path: Path, database: str, fetches: str
) -> None:
    at = ("-s", f"storage.url={database}")
    with serving_team(7, 20, linked=6) as site:
        write_team_spider(tmp_path, site, RATE, fetches=fetches)
        with (
            starting(tmp_path, "work", "team", *at) as first,
            starting(tmp_path, "work", "team", *at) as second,
            starting(tmp_path, "run", "team", *at) as leader,
        ):
            told = [ended(process) for process in (leader, first, second)]

    assert leader.returncode == 0, told
    found = titles(tmp_path / "out" / "team-1.jsonl")
    fetched = [title for title in found if title.startswith("fetched")]
    assert [title for title in found if title not in set(fetched)] == site.all_titles
    numbers = [number for number in range(20) if number % 5 == 0]
    assert sorted(fetched) == sorted(
        f"fetched h{(host + 1) % 6}/{number}" if fetches == "mutual" else "fetched h6/0"
        for host in range(6)
        for number in numbers
    )
    assert min(site.gaps_between_clients()) >= LEAST


@pytest.mark.parametrize("server", ["database", "newest_database"])
def test_one_command_starts_several_processes(
    request: pytest.FixtureRequest, tmp_path: Path, server: str
) -> None:
    url = request.getfixturevalue(server)
    at = ("-s", f"storage.url={url}", "--summary", "summary.json")
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        made = crawl(tmp_path, "run", "team", "--processes", "3", *at)

    assert made.returncode == 0, made.stderr
    assert titles(tmp_path / "out" / "team-1.jsonl") == site.all_titles
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["pages"] == summary["items"] == HOSTS * PAGES
    assert min(site.gaps_between_clients()) >= LEAST


def test_a_limit_on_pages_holds_over_several_processes(
    tmp_path: Path, database: str
) -> None:
    at = ("-s", f"storage.url={database}", "--pages", "101")
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        made = crawl(tmp_path, "run", "team", "--processes", "2", *at)

    assert made.returncode == 0, made.stderr
    assert len(titles(tmp_path / "out" / "team-1.jsonl")) == 101


@pytest.mark.timeout(120)
def test_a_limit_on_pages_holds_for_workers_that_join_at_the_start(
    tmp_path: Path, database: str
) -> None:
    at = ("-s", f"storage.url={database}")
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        for number in range(4):
            job = ("--job", f"j{number}")
            limited = ("run", "team", "--pages", "31", "-o", f"{number}.jsonl")
            with (
                starting(tmp_path, *limited, *job, *at) as leader,
                starting(tmp_path, "work", "team", *job, *at) as first,
                starting(tmp_path, "work", "team", *job, *at) as second,
            ):
                told = [ended(process) for process in (leader, first, second)]
            assert leader.returncode == 0, told
            assert len(titles(tmp_path / f"{number}.jsonl")) == 31, told


def test_several_processes_need_a_store_that_they_share(tmp_path: Path) -> None:
    with serving_team(1, 1) as site:
        write_team_spider(tmp_path, site, RATE)
        made = crawl(tmp_path, "run", "team", "--processes", "2")
        assert site.log == []

    assert made.returncode == 2
    assert "storage.url" in made.stderr.splitlines()[-1]


def change_code(folder: Path) -> None:
    spider = folder / "spiders" / "team.py"
    text = spider.read_text(encoding="utf-8")
    spider.write_text(f"{text}\nCHANGED = True\n", encoding="utf-8")


def test_a_worker_with_other_code_is_refused(tmp_path: Path, database: str) -> None:
    at = ("-s", f"storage.url={database}")
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        with starting(tmp_path, "run", "team", *at) as leader:
            until(site, 1)
            change_code(tmp_path)
            refused = crawl(tmp_path, "work", "team", *at)
            told = ended(leader)

    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "deploy the same code here" in line
    assert leader.returncode == 0, told
    assert titles(tmp_path / "out" / "team-1.jsonl") == site.all_titles


def test_workers_leave_a_run_that_goes_on_with_other_code(
    tmp_path: Path, database: str
) -> None:
    at = ("-s", f"storage.url={database}")
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        with (
            starting(tmp_path, "run", "team", *at) as leader,
            starting(tmp_path, "work", "team", "-q", *at) as worker,
        ):
            until(site, HOSTS * 4)
            leader.kill()
            leader.wait()
            before = json.loads(crawl(tmp_path, "status", "team", "--json", *at).stdout)
            change_code(tmp_path)
            again = crawl(tmp_path, "run", "team", "--processes", "2", *at)
            told = ended(worker)

    assert again.returncode == 0, again.stderr
    assert worker.returncode == 2, told
    (line,) = told.splitlines()
    assert before["code"] in line
    assert "deploy the same code here" in line
    assert titles(tmp_path / "out" / "team-1.jsonl") == site.all_titles
    assert max(Counter((host, path) for _, host, path in site.log).values()) <= 2


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [1, 2])
def test_processes_killed_and_paused_at_random_lose_nothing(
    tmp_path: Path, database: str, seed: int
) -> None:
    dice = random.Random(seed)
    at = ("-s", f"storage.url={database}", "-s", "storage.lease=2s")
    with serving_team(HOSTS, PAGES) as site, ExitStack() as stack:
        write_team_spider(tmp_path, site, RATE)

        def start(command: str) -> subprocess.Popen[str]:
            return stack.enter_context(starting(tmp_path, command, "team", *at))

        workers = [start("run"), start("work"), start("work")]
        until(site, 20)
        for _ in range(6):
            time.sleep(0.3 + dice.random() * 0.7)
            victim = dice.randrange(3)
            if workers[victim].poll() is not None:
                break  # the crawl is over
            if dice.random() < 0.5:
                workers[victim].kill()
                workers[victim].wait()
                workers[victim] = start("work" if victim else "run")
            else:
                workers[victim].send_signal(signal.SIGSTOP)
                time.sleep(dice.choice([0.5, 3.5]))
                workers[victim].send_signal(signal.SIGCONT)
        told = ended(workers[0])
        if workers[0].returncode:
            assert crawl(tmp_path, "run", "team", *at).returncode == 0, told

    assert titles(tmp_path / "out" / "team-1.jsonl") == site.all_titles, told
    # A request that had passed the guard when its process was paused leaves late.
    assert len([gap for gap in site.gaps() if gap < LEAST]) <= MOST_LATE


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_paused_process_asks_nothing_after_its_lease(
    tmp_path: Path, database: str
) -> None:
    """Without the guard, which tests/run/test_teamwork.py tries alone, two processes
    ask one host when the paused one wakes."""
    at = ("-s", f"storage.url={database}", "-s", "storage.lease=2s")
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        with (
            starting(tmp_path, "run", "team", *at) as leader,
            starting(tmp_path, "work", "team", *at) as worker,
        ):
            until(site, HOSTS * 8)
            worker.send_signal(signal.SIGSTOP)
            time.sleep(3.5)
            woken = time.monotonic()
            worker.send_signal(signal.SIGCONT)
            told = [ended(process) for process in (leader, worker)]

    assert titles(tmp_path / "out" / "team-1.jsonl") == site.all_titles, told
    assert min(site.gaps(around=woken), default=1.0) >= LEAST


@pytest.mark.timeout(120)
def test_a_process_that_wakes_after_the_run_ends_too(
    tmp_path: Path, database: str
) -> None:
    at = ("-s", f"storage.url={database}", "-s", "storage.lease=2s")
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        with (
            starting(tmp_path, "run", "team", *at) as leader,
            starting(tmp_path, "work", "team", *at) as worker,
        ):
            until_joined(database, 2)
            worker.send_signal(signal.SIGSTOP)
            told = [ended(leader)]
            worker.send_signal(signal.SIGCONT)
            told += [ended(worker)]

    assert (leader.returncode, worker.returncode) == (0, 0), told
    assert titles(tmp_path / "out" / "team-1.jsonl") == site.all_titles


def test_arguments_of_other_processes_hold_no_password(
    tmp_path: Path, database: str
) -> None:
    secret = database.replace("postgresql:///", "postgresql://:s3cret@/")
    at = ("-s", f"storage.url={secret}", "-s", "crawl.grace=2s")
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        with starting(tmp_path, "run", "team", "--processes", "2", *at) as leader:
            until(site, HOSTS * 2)
            (worker,) = children(leader.pid)
            words = Path(f"/proc/{worker}/cmdline").read_bytes()
            told = ended(leader)

    assert leader.returncode == 0, told
    assert b"work" in words
    assert b"s3cret" not in words


def children(pid: int) -> list[int]:
    """Return the processes that this process has started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_failover_that_loses_commits_is_told_and_costs_no_page_and_no_item(
    tmp_path: Path, postgres: Server, database: str
) -> None:
    at = ("-s", f"storage.url={database}", "-s", "storage.lease=2s")
    outputs = ("-o", "out/books.jsonl", "-o", "out/books.db")
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        with (
            starting(tmp_path, "run", "team", *at, *outputs) as leader,
            starting(tmp_path, "work", "team", *at) as worker,
        ):
            until(site, HOSTS * 9)
            postgres.keep_copy()
            until(site, HOSTS * 18)
            postgres.go_back()
            told = [ended(process) for process in (leader, worker)]

    assert (leader.returncode, worker.returncode) == (0, 0), told
    assert any("has lost commits that it had confirmed" in each for each in told), told
    assert titles(tmp_path / "out" / "books.jsonl") == site.all_titles
    with closing(sqlite3.connect(tmp_path / "out" / "books.db")) as connection:
        found = connection.execute("SELECT title FROM items").fetchall()
    assert sorted(title for (title,) in found) == site.all_titles
    assert len(site.log) > HOSTS * PAGES  # what was lost was crawled again
    assert min(site.gaps_between_clients()) >= LEAST


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_database_that_is_killed_and_away_for_a_while_costs_nothing(
    tmp_path: Path, postgres: Server, database: str
) -> None:
    at = ("-s", f"storage.url={database}", "-s", "storage.lease=2s")
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        with (
            starting(tmp_path, "run", "team", *at) as leader,
            starting(tmp_path, "work", "team", *at) as worker,
        ):
            until(site, HOSTS * 8)
            postgres.stop()
            time.sleep(4.0)
            asked = len(site.log)
            time.sleep(1.0)
            still = len(site.log)
            postgres.start()
            told = [ended(process) for process in (leader, worker)]

    assert asked == still, "asked after the lease was over"
    assert (leader.returncode, worker.returncode) == (0, 0), told
    assert titles(tmp_path / "out" / "team-1.jsonl") == site.all_titles
    assert min(site.gaps_between_clients()) >= LEAST


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_fresh_run_that_was_given_up_goes_on_with_its_own_run(
    tmp_path: Path, database: str
) -> None:
    at = ("-s", f"storage.url={database}", "-s", "storage.lease=2s")
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        with (
            starting(tmp_path, "run", "team", "--fresh", *at) as leader,
            starting(tmp_path, "work", "team", *at) as worker,
        ):
            until(site, HOSTS * 8)
            leader.send_signal(signal.SIGSTOP)
            time.sleep(3.5)
            leader.send_signal(signal.SIGCONT)
            told = [ended(process) for process in (leader, worker)]

    assert (leader.returncode, worker.returncode) == (0, 0), told
    assert titles(tmp_path / "out" / "team-1.jsonl") == site.all_titles


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_backup_older_than_the_run_begins_the_run_anew(
    tmp_path: Path, postgres: Server, database: str
) -> None:
    at = ("-s", f"storage.url={database}", "-s", "storage.lease=2s")
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        postgres.keep_copy()
        with (
            starting(tmp_path, "run", "team", *at) as leader,
            starting(tmp_path, "work", "team", *at) as worker,
        ):
            until(site, HOSTS * 9)
            postgres.go_back()
            told = [ended(process) for process in (leader, worker)]

    assert (leader.returncode, worker.returncode) == (0, 0), told
    assert titles(tmp_path / "out" / "team-1.jsonl") == site.all_titles
    assert min(site.gaps_between_clients()) >= LEAST


def test_the_processes_of_a_leader_that_is_killed_end(
    tmp_path: Path, database: str
) -> None:
    at = ("-s", f"storage.url={database}")
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        with starting(tmp_path, "run", "team", "--processes", "3", *at) as leader:
            until(site, HOSTS * 4)
            leader.kill()
            # The processes hold the other end of its standard error until they end.
            told = ended(leader)
        made = crawl(tmp_path, "run", "team", *at)

    assert "--beside" not in told
    assert made.returncode == 0, made.stderr
    assert titles(tmp_path / "out" / "team-1.jsonl") == site.all_titles
