"""Faults around a job: signals, full disks, damaged files, a second process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.harness import Job, RunningSite, ended, serving
from tests.faults.site import Expected
from tests.faults.test_kill import assert_exact


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RunningSite]:
    """The site, slow enough to be interrupted."""
    with serving(tmp_path, seconds=0.01) as running:
        yield running


def test_sigterm_stops_gracefully_and_the_same_command_resumes(
    tmp_path: Path, site: RunningSite
) -> None:
    job = Job(tmp_path / "job", site, size=100)
    process = job.start()
    site.wait_for(30)

    process.terminate()
    stopped = ended(process)

    assert stopped.code == 4
    assert "crawl run" in stopped.error  # how to go on
    asked = site.asked().total()
    assert_exact(job, job.run())  # what was in flight was not asked for again
    assert site.asked().total() > asked


def test_a_second_sigint_stops_at_once(tmp_path: Path, site: RunningSite) -> None:
    job = Job(tmp_path / "job", site, size=100)
    process = job.start()
    site.wait_for(30)

    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    code = ended(process).code
    job.kills = 1  # as many requests may be lost as by a kill

    assert code == 4
    assert_exact(job, job.run())


def test_a_process_that_was_stopped_and_continued_goes_on_working(
    tmp_path: Path, site: RunningSite
) -> None:
    job = Job(tmp_path / "job", site, size=100)
    process = job.start()
    site.wait_for(30)

    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    process.send_signal(signal.SIGCONT)

    assert_exact(job, ended(process))


def test_an_error_in_a_second_process_names_the_first(
    tmp_path: Path, site: RunningSite
) -> None:
    job = Job(tmp_path / "job", site, size=100)
    process = job.start()
    site.wait_for(10)
    process.send_signal(signal.SIGSTOP)

    second = job.run()
    process.send_signal(signal.SIGCONT)

    assert second.code == 5
    assert f"process {process.pid}" in second.error
    assert "--job" in second.error
    assert_exact(job, ended(process))


def test_other_arguments_are_rejected_with_advice(
    tmp_path: Path, site: RunningSite
) -> None:
    job = Job(tmp_path / "job", site, size=100, outputs=("out.jsonl",))
    assert job.killed_after(20) is None
    job.size = 60

    refused = job.run()
    fresh = job.run("--fresh")

    assert refused.code == 2
    assert all(way in refused.error for way in ("same", "--fresh", "--job"))
    assert fresh.code in (0, 3)
    assert job.counts(run=2)["pages"] > 40


def test_a_finished_run_is_followed_by_a_new_one(
    tmp_path: Path, site: RunningSite
) -> None:
    job = Job(tmp_path / "job", site, size=40, outputs=("out.jsonl",))
    first = job.run()
    again = job.run()

    assert "resuming" not in again.error
    assert (first.code, again.code) == (0, 0)
    assert job.counts(run=2) == job.counts(run=1)
    ids = job.written()["out.jsonl"]
    assert len(ids) == len(set(ids)) == job.counts(run=2)["items"]


def test_a_state_that_is_deleted_during_the_crawl_is_reported(
    tmp_path: Path, site: RunningSite
) -> None:
    job = Job(tmp_path / "job", site, size=60)
    process = job.start()
    site.wait_for(20)

    shutil.rmtree(job.state)

    assert "was removed while the crawl ran" in ended(process).error
    assert {*job.written()["out.jsonl"]} == Expected(60).items


def test_an_output_that_is_deleted_during_the_crawl_is_written_again(
    tmp_path: Path, site: RunningSite
) -> None:
    job = Job(tmp_path / "job", site, size=60)
    process = job.start()
    site.wait_for(40)

    for part in job.folder.glob("*.part"):
        part.unlink()

    assert_exact(job, ended(process))


# -- disks


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of this size; the test is skipped where none can be mounted."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = subprocess.run(["mount", *options], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs needs root and the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_the_crawl_waits_while_the_disk_is_full(
    tmp_path: Path, site: RunningSite
) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        job = Job(disk / "job", site, size=100)
        process = job.start()
        site.wait_for(10)
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as file, _full():
            while file.write(b"\0" * 4096):
                pass
        assert process.stderr is not None
        said = ""
        while "waits" not in said:
            said += process.stderr.readline()
            assert process.poll() is None, said

        ballast.unlink()

        assert_exact(job, ended(process))


@contextmanager
def _full() -> Iterator[None]:
    with pytest.raises(OSError, match="No space left"):
        yield


def test_a_crawl_on_a_full_disk_stops_and_can_be_resumed(
    tmp_path: Path, site: RunningSite
) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        job = Job(disk / "job", site, size=100)
        process = job.start()
        site.wait_for(30)
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as file, _full():
            while file.write(b"\0" * 4096):
                pass
        process.terminate()
        stopped = ended(process)
        job.kills = 1
        ballast.unlink()

        assert stopped.code in (1, 4)
        assert_exact(job, job.run())


def test_an_output_that_cannot_be_written_is_rejected_before_the_first_request(
    tmp_path: Path, site: RunningSite
) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    output = str(folder / "file" / "out.jsonl")
    (folder / "file").write_text("not a folder")
    job = Job(tmp_path / "job", site, size=40, outputs=(output,))

    refused = job.run()

    assert refused.code == 2
    assert output in refused.error
    assert not site.asked()


def test_a_read_only_folder_is_rejected_before_the_first_request(
    tmp_path: Path, site: RunningSite
) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for output in ("out.jsonl", "out.db", "out.json", "out.csv"):
            outputs = (str(disk / output),)
            job = Job(tmp_path / "job", site, size=40, outputs=outputs)

            refused = job.run()

            assert refused.code == 2, output
            assert output in refused.error
        assert not site.asked()


# -- damage


def cut_short(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def overwrite(path: Path) -> None:
    path.write_bytes(b"garbage" * 1_000)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zero_a_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\0" * 4096)


@pytest.mark.parametrize(
    ("which", "damage"),
    [
        pytest.param("tree.runs/1.db", cut_short, id="run cut short"),
        pytest.param("tree.runs/1.db", overwrite, id="run overwritten"),
        pytest.param("tree.runs/1.db", zero_a_page, id="run with a zeroed page"),
        pytest.param("tree.db", overwrite, id="catalog overwritten"),
        pytest.param("tree.db", empty, id="catalog emptied"),
    ],
)
def test_a_damaged_database_is_rejected_and_kept(
    tmp_path: Path, small: Job, damage: Callable[[Path], None], which: str
) -> None:
    job = Job(tmp_path / "job", small.site, size=60, outputs=("out.jsonl",))
    shutil.copytree(small.state, job.state)
    before = small.site.requests()
    path = job.state / which
    damage(path)
    content = path.read_bytes()

    refused = job.run()
    has_asked = small.site.requests() > before
    is_kept = path.read_bytes() == content
    fresh = job.run("--fresh")

    assert refused.code == 2
    assert which in refused.error
    assert "--fresh" in refused.error
    assert is_kept
    assert not has_asked
    assert fresh.code in (0, 3), fresh.error
    aside = path.with_name(f"{path.name}.damaged-1")
    assert aside.name in refused.error
    assert aside.read_bytes() == content


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """A job whose run was stopped, and the site that it was reading."""
    folder = tmp_path_factory.mktemp("small")
    with serving(folder, seconds=0.01) as running:
        job = Job(folder / "job", running, size=60, outputs=("out.jsonl",))
        process = job.start()
        running.wait_for(40)
        process.terminate()
        assert ended(process).code == 4
        yield job
