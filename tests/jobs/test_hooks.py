"""Hooks: real commands and a real webhook."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tenacity import AsyncRetrying, stop_after_attempt, wait_none

from crawler.jobs import hooks
from crawler.settings import Settings

SUMMARY = {"job": "nightly", "run": 7, "exit_code": 3, "items": 12}


class Receiver:
    """A webhook that answers with `statuses`, one after the other."""

    def __init__(self, *statuses: int) -> None:
        self.bodies: list[object] = []
        left = list(statuses)
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                bodies.append(json.loads(self.rfile.read(size)))
                self.send_response(left.pop(0))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def __enter__(self) -> Receiver:
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture
def retrying() -> AsyncRetrying:
    return hooks.patience().copy(stop=stop_after_attempt(3), wait=wait_none())


async def test_a_command_receives_the_summary_and_the_name_of_its_job(
    tmp_path: Path,
) -> None:
    out = tmp_path / "told"
    program = (
        "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text("
        "os.environ['CRAWL_JOB'] + os.environ['CRAWL_EXIT_CODE'] + sys.stdin.read())"
    )

    wrong = await hooks.call(
        (sys.executable, "-c", program, str(out)), SUMMARY, Settings()
    )

    assert wrong == ""
    assert (
        out.read_text()
        == "nightly3" + json.dumps(SUMMARY, separators=(",", ":")) + "\n"
    )


@pytest.mark.parametrize(
    ("command", "part"),
    [
        pytest.param(("no-such-program",), "cannot be started", id="missing"),
        pytest.param(
            (sys.executable, "-c", "raise SystemExit(7)"), "exit code 7", id="fails"
        ),
    ],
)
async def test_a_failed_command_is_reported_in_one_line(
    command: tuple[str, ...], part: str
) -> None:
    assert part in await hooks.call(command, SUMMARY, Settings())


async def test_a_command_that_hangs_is_killed_with_its_child_processes() -> None:
    program = "import subprocess as s; s.run(['sleep', '60'])"

    wrong = await hooks.call(
        (sys.executable, "-c", program), SUMMARY, Settings(), seconds=0.5
    )

    assert "took over 0.5 s and was killed" in wrong


async def test_a_webhook_receives_the_summary_as_json(retrying: AsyncRetrying) -> None:
    with Receiver(204) as receiver:
        wrong = await hooks.call(receiver.url, SUMMARY, Settings(), retrying=retrying)

    assert (wrong, receiver.bodies) == ("", [SUMMARY])


async def test_a_failed_webhook_is_retried(retrying: AsyncRetrying) -> None:
    with Receiver(503, 500, 200) as receiver:
        wrong = await hooks.call(receiver.url, SUMMARY, Settings(), retrying=retrying)

    assert (wrong, len(receiver.bodies)) == ("", 3)


async def test_a_webhook_that_is_refused_is_reported_in_one_line(
    retrying: AsyncRetrying,
) -> None:
    with Receiver(403, 403, 403) as receiver:
        wrong = await hooks.call(receiver.url, SUMMARY, Settings(), retrying=retrying)

    assert wrong == (
        f"the webhook {receiver.url} failed: "
        "the webhook answered with status 403, not 2xx"
    )
