"""kill -9 during downloads: each file is stored once and completely."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.pipelines.files.killed_crawl import PER_PAGE, content, is_there

PAGES, KILLS = 30, 8


def asked(folder: Path, most: int | None, module: str = "killed_crawl") -> list[str]:
    """Run the crawl until it has asked for so many files, then kill it; None: to its
    end. The files that it asked for."""
    module = f"tests.pipelines.files.{module}"
    command = [sys.executable, "-m", module, str(folder), str(PAGES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        files = list(itertools.islice(process.stdout, most))
        if most is not None:
            process.kill()
    assert process.returncode == (0 if most is None else -signal.SIGKILL)
    return files


def test_files_of_a_crawl_killed_at_random_moments_are_complete(tmp_path: Path) -> None:
    dice = random.Random(6)
    times: Counter[str] = Counter()
    for _ in range(KILLS):
        times.update(asked(tmp_path, dice.randint(1, 60)))
    times.update(asked(tmp_path, None))

    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    items = {item["number"]: item["file"] for item in map(json.loads, lines)}
    assert len(lines) == len(items) == PAGES * PER_PAGE
    digests = set()
    for number, file in items.items():
        if not is_there(number):
            assert (file["path"], file["reason"]) == ("", "http_status")
            continue
        digest = hashlib.sha256(content(number)).hexdigest()
        digests.add(digest)
        assert file["sha256"] == digest
        assert hashlib.sha256(Path(file["path"]).read_bytes()).hexdigest() == digest
    on_disk = [path for path in (tmp_path / "f").rglob("*") if path.is_file()]
    assert len(on_disk) == len(digests)
    # A file whose row has landed is not asked for again; those on their way are.
    on_their_way = KILLS * (PAGES + PER_PAGE)
    assert times.total() <= PAGES * PER_PAGE + on_their_way


def test_images_of_a_crawl_killed_at_random_moments_are_complete(
    tmp_path: Path,
) -> None:
    pytest.importorskip("PIL", reason="needs the extra images")
    from tests.pipelines.files import killed_pictures
    from tests.pipelines.files.drawn import opened

    dice = random.Random(7)
    for _ in range(5):
        asked(tmp_path, dice.randint(1, 20), "killed_pictures")
    asked(tmp_path, None, "killed_pictures")

    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    items = {item["number"]: item["image"] for item in map(json.loads, lines)}
    count = killed_pictures.PAGES * killed_pictures.PER_PAGE
    assert len(lines) == len(items) == count
    for number, image in items.items():
        original = Path(image["original"]).read_bytes()
        assert original == killed_pictures.picture(number)
        for copy in (image, image["thumbs"]["s"]):
            written = Path(copy["path"]).read_bytes()
            assert hashlib.sha256(written).hexdigest() == copy["sha256"]
            assert opened(written).size == (copy["width"], copy["height"])
        assert (image["width"], image["height"]) == killed_pictures.size_of(number)
    on_disk = [path for path in (tmp_path / "f").rglob("*") if path.is_file()]
    assert len(on_disk) == 3 * count
