"""`crawl work`: several processes crawl one run; the log of the server is checked."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.cli.sites import crawl
from tests.cli.team import Team, ended
from tests.cli.team_site import serving_team, write_team_spider
from tests.postgres import Server

pytestmark = pytest.mark.alone

HOSTS, PAGES, RATE = 12, 40, 8.0
#: The interval of a host, less what a busy machine may take off a gap on its way.
LEAST = 0.3 / RATE
#: A lease that ends soon after a process is paused or killed.
SHORT = ("-s", "storage.lease=2s")
#: Requests that may come too early in a crawl whose processes are killed and paused.
MOST_LATE = 2


@pytest.fixture
def team(tmp_path: Path, database: str) -> Iterator[Team]:
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        with closing(Team(tmp_path, site, database)) as team:
            yield team


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


def pause_in_transaction(process: subprocess.Popen[str], database: str) -> None:
    """Stop the process at a moment when one of its database sessions holds locks on
    rows of the run."""
    psycopg = pytest.importorskip("psycopg", reason="needs the extra postgres")
    query = """SELECT session.pid, state_change FROM pg_stat_activity AS session
        JOIN pg_locks ON pg_locks.pid = session.pid JOIN pg_class ON oid = relation
        WHERE relname = 'workers' AND mode = 'RowShareLock'"""
    end = time.monotonic() + 30
    with psycopg.connect(database, autocommit=True) as connection:
        while True:
            assert time.monotonic() < end, "the process was never in a transaction"
            process.send_signal(signal.SIGSTOP)
            before = set(connection.execute(query).fetchall())
            time.sleep(0.2)  # other processes end their transactions within this time
            if before & set(connection.execute(query).fetchall()):
                return
            process.send_signal(signal.SIGCONT)
            time.sleep(0.01)


def test_three_processes_crawl_one_run(team: Team) -> None:
    processes = [team.start("work"), team.start("work"), team.start("run")]
    told = [ended(process) for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], told
    assert team.titles() == team.site.all_titles
    paths = Counter((host, path) for _, host, path in team.site.log)
    assert max(paths.values()) == 1
    assert min(team.site.gaps_between_clients()) >= LEAST
    assert len(team.site.asked_robots()) == HOSTS


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("fetches", ["shared", "mutual"])
def test_fetches_of_sites_that_other_processes_own_keep_the_rate(
    tmp_path: Path, database: str, fetches: str
) -> None:
    with serving_team(7, 20, linked=6) as site:
        write_team_spider(tmp_path, site, RATE, fetches=fetches)
        with closing(Team(tmp_path, site, database)) as team:
            processes = [team.start("work"), team.start("work"), team.start("run")]
            told = [ended(process) for process in processes]

    assert processes[-1].returncode == 0, told
    found = team.titles()
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
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        team = Team(tmp_path, site, request.getfixturevalue(server))
        made = team.crawl("run", "--processes", "3", "--summary", "summary.json")

    assert made.returncode == 0, made.stderr
    assert team.titles() == site.all_titles
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["pages"] == summary["items"] == HOSTS * PAGES
    assert min(site.gaps_between_clients()) >= LEAST


def test_a_limit_on_pages_holds_over_several_processes(team: Team) -> None:
    made = team.crawl("run", "--processes", "2", "--pages", "101")

    assert made.returncode == 0, made.stderr
    assert len(team.titles()) == 101


@pytest.mark.timeout(120)
def test_a_limit_on_pages_holds_for_workers_that_join_at_the_start(team: Team) -> None:
    for number in range(4):
        job, output = ("--job", f"j{number}"), f"{number}.jsonl"
        leader = team.start("run", "--pages", "31", "-o", output, *job)
        workers = [team.start("work", *job), team.start("work", *job)]
        told = [ended(process) for process in (leader, *workers)]

        assert leader.returncode == 0, told
        assert len(team.titles(output)) == 31, told


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


def test_a_worker_with_other_code_is_rejected(team: Team) -> None:
    leader = team.start("run")
    team.until(1)
    change_code(team.folder)

    refused = team.crawl("work")
    told = ended(leader)

    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "deploy the same code here" in line
    assert leader.returncode == 0, told
    assert team.titles() == team.site.all_titles


def test_workers_leave_a_run_that_is_resumed_with_other_code(team: Team) -> None:
    leader, worker = team.start("run"), team.start("work", "-q")
    team.until(HOSTS * 4)
    leader.kill()
    leader.wait()
    before = json.loads(team.crawl("status", "--json").stdout)
    change_code(team.folder)

    again = team.crawl("run", "--processes", "2")
    told = ended(worker)

    assert again.returncode == 0, again.stderr
    assert worker.returncode == 2, told
    (line,) = told.splitlines()
    assert before["code"] in line
    assert "deploy the same code here" in line
    assert team.titles() == team.site.all_titles
    paths = Counter((host, path) for _, host, path in team.site.log)
    assert max(paths.values()) <= 2


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [1, 2])
def test_processes_killed_and_paused_at_random_lose_no_page(
    team: Team, seed: int
) -> None:
    dice = random.Random(seed)
    workers = [team.start(command, *SHORT) for command in ("run", "work", "work")]
    team.until(20)

    for _ in range(6):
        time.sleep(0.3 + dice.random() * 0.7)
        victim = dice.randrange(3)
        if workers[victim].poll() is not None:
            break  # the crawl is over
        if dice.random() < 0.5:
            workers[victim].kill()
            workers[victim].wait()
            workers[victim] = team.start("work" if victim else "run", *SHORT)
        else:
            workers[victim].send_signal(signal.SIGSTOP)
            time.sleep(dice.choice([0.5, 3.5]))
            workers[victim].send_signal(signal.SIGCONT)
    told = ended(workers[0])
    if workers[0].returncode:
        assert team.crawl("run", *SHORT).returncode == 0, told

    assert team.titles() == team.site.all_titles, told
    # A request that had passed the guard when its process was paused leaves late.
    assert len([gap for gap in team.site.gaps() if gap < LEAST]) <= MOST_LATE


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_paused_process_sends_no_request_after_its_lease(team: Team) -> None:
    """Without the guard, which tests/run/test_teamwork.py tries alone, two processes
    ask one host when the paused one wakes."""
    leader, worker = team.start("run", *SHORT), team.start("work", *SHORT)
    team.until(HOSTS * 8)

    worker.send_signal(signal.SIGSTOP)
    time.sleep(3.5)
    woken = time.monotonic()
    worker.send_signal(signal.SIGCONT)
    told = [ended(process) for process in (leader, worker)]

    assert team.titles() == team.site.all_titles, told
    assert min(team.site.gaps(around=woken), default=1.0) >= LEAST


@pytest.mark.timeout(180)
def test_a_process_paused_in_a_commit_does_not_delay_the_end_of_the_run(
    team: Team, database: str
) -> None:
    """The paused process holds locks; when it wakes up, the run is over."""
    leader, worker = team.start("run", *SHORT), team.start("work", *SHORT)
    until_joined(database, 2)

    pause_in_transaction(worker, database)
    told = [ended(leader)]
    worker.send_signal(signal.SIGCONT)
    told += [ended(worker)]

    assert (leader.returncode, worker.returncode) == (0, 0), told
    assert team.titles() == team.site.all_titles


@pytest.mark.timeout(180)
def test_a_paused_leader_begins_no_new_run_after_another_one_has_ended_its_run(
    team: Team,
) -> None:
    first = team.start("run", *SHORT, "-o", "out/first.jsonl")
    team.until(HOSTS * 4)
    first.send_signal(signal.SIGSTOP)
    time.sleep(3)  # its lease ends

    second = team.crawl("run", *SHORT, "-o", "out/second.jsonl")
    first.send_signal(signal.SIGCONT)
    told = ended(first)

    assert (second.returncode, first.returncode) == (0, 0), (second.stderr, told)
    assert "run 1 was ended by another process" in told
    assert team.titles("out/second.jsonl") == team.site.all_titles
    assert json.loads(team.crawl("status", "--json").stdout)["run"] == 1
    paths = Counter((host, path) for _, host, path in team.site.log)
    assert max(paths.values()) <= 2


def test_a_worker_that_starts_before_its_database_waits_for_it(
    team: Team, postgres: Server
) -> None:
    postgres.stop()
    worker = team.start("work")
    assert worker.stderr is not None
    first = worker.stderr.readline()
    postgres.start()

    leader = team.start("run")
    told = [ended(process) for process in (leader, worker)]

    assert first.rstrip().endswith("waiting for the next try"), first
    assert "start the server" in first
    assert (leader.returncode, worker.returncode) == (0, 0), told
    assert team.titles() == team.site.all_titles


def test_arguments_of_child_processes_contain_no_password(
    tmp_path: Path, database: str
) -> None:
    secret = database.replace("postgresql:///", "postgresql://:s3cret@/")
    with serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        with closing(Team(tmp_path, site, secret)) as team:
            leader = team.start("run", "--processes", "2", "-s", "crawl.grace=2s")
            team.until(HOSTS * 2)
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
def test_a_failover_that_loses_commits_is_reported_and_loses_no_page_or_item(
    team: Team, postgres: Server
) -> None:
    outputs = ("-o", "out/books.jsonl", "-o", "out/books.db")
    leader, worker = team.start("run", *SHORT, *outputs), team.start("work", *SHORT)
    team.until(HOSTS * 9)
    postgres.keep_copy()
    team.until(HOSTS * 18)

    postgres.go_back()
    told = [ended(process) for process in (leader, worker)]

    assert (leader.returncode, worker.returncode) == (0, 0), told
    assert any("has lost commits that it had confirmed" in each for each in told), told
    assert team.titles("out/books.jsonl") == team.site.all_titles
    with closing(sqlite3.connect(team.folder / "out" / "books.db")) as connection:
        found = connection.execute("SELECT title FROM items").fetchall()
    assert sorted(title for (title,) in found) == team.site.all_titles
    assert len(team.site.log) > HOSTS * PAGES  # what was lost was crawled again
    assert min(team.site.gaps_between_clients()) >= LEAST


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_database_that_is_down_for_a_while_loses_no_page(
    team: Team, postgres: Server
) -> None:
    leader, worker = team.start("run", *SHORT), team.start("work", *SHORT)
    team.until(HOSTS * 8)

    postgres.stop()
    time.sleep(4.0)
    asked = len(team.site.log)
    time.sleep(1.0)
    still = len(team.site.log)
    postgres.start()
    told = [ended(process) for process in (leader, worker)]

    assert asked == still, "asked after the lease was over"
    assert (leader.returncode, worker.returncode) == (0, 0), told
    assert team.titles() == team.site.all_titles
    assert min(team.site.gaps_between_clients()) >= LEAST


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_fresh_run_that_lost_its_lease_resumes_its_own_run(team: Team) -> None:
    leader = team.start("run", "--fresh", *SHORT)
    worker = team.start("work", *SHORT)
    team.until(HOSTS * 8)

    leader.send_signal(signal.SIGSTOP)
    time.sleep(3.5)
    leader.send_signal(signal.SIGCONT)
    told = [ended(process) for process in (leader, worker)]

    assert (leader.returncode, worker.returncode) == (0, 0), told
    assert team.titles() == team.site.all_titles


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_backup_older_than_the_run_starts_the_run_again(
    team: Team, postgres: Server
) -> None:
    postgres.keep_copy()
    leader, worker = team.start("run", *SHORT), team.start("work", *SHORT)
    team.until(HOSTS * 9)

    postgres.go_back()
    told = [ended(process) for process in (leader, worker)]

    assert (leader.returncode, worker.returncode) == (0, 0), told
    assert team.titles() == team.site.all_titles
    assert min(team.site.gaps_between_clients()) >= LEAST


def test_child_processes_of_a_killed_leader_end(team: Team) -> None:
    leader = team.start("run", "--processes", "3")
    team.until(HOSTS * 4)

    leader.kill()
    # The processes hold the other end of its standard error until they end.
    told = ended(leader)
    made = team.crawl("run")

    assert "--beside" not in told
    assert made.returncode == 0, made.stderr
    assert team.titles() == team.site.all_titles
