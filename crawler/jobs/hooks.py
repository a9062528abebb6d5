"""Calls hooks. A hook is a command or a webhook that receives the summary of a run.

Rule: no shell is used. A command is a list of arguments; the command can read the
summary as JSON from its standard input. A failed hook raises nothing: its error is
returned as text.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.abc
import msgspec
from tenacity import (
    AsyncRetrying,
    RetryError,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential,
)

from crawler.errors import FetchError
from crawler.http import Client, ClientOptions
from crawler.request import Request
from crawler.settings import Settings

#: The URL of a webhook, or a command with its arguments.
Hook = str | tuple[str, ...]

#: Seconds that a command may take before it is killed.
COMMAND_TIME = 600.0
#: Seconds after which a failing webhook is not retried any more.
PATIENCE = 60.0


class _Refused(Exception):
    """The webhook answered with a status that is not 2xx."""


def patience(seconds: float = PATIENCE) -> AsyncRetrying:
    """Return the retry policy of a webhook: retries with growing pauses, for `seconds`
    in total."""
    return AsyncRetrying(
        retry=retry_if_exception_type((FetchError, _Refused)),
        stop=stop_after_delay(seconds),
        wait=wait_exponential(multiplier=1, max=15),
    )


async def call(
    hook: Hook,
    summary: Mapping[str, Any],
    settings: Settings,
    *,
    retrying: AsyncRetrying | None = None,
    seconds: float = COMMAND_TIME,
) -> str:
    """Call `hook` with the summary of a run.

    Return the error of the hook as one line, or "" if the hook succeeded. `retrying` is
    the retry policy of a webhook; a command is killed after `seconds`.
    """
    message = msgspec.json.encode(summary)
    if isinstance(hook, str):
        return await _post(hook, message, settings, retrying or patience())
    return await _run(hook, message, summary, seconds)


async def _run(
    command: tuple[str, ...],
    message: bytes,
    summary: Mapping[str, Any],
    seconds: float,
) -> str:
    environ = {
        **os.environ,
        "CRAWL_JOB": str(summary.get("job", "")),
        "CRAWL_RUN": str(summary.get("run", "")),
        "CRAWL_EXIT_CODE": str(summary.get("exit_code", "")),
    }
    try:
        process = await anyio.open_process(
            command,
            stdin=subprocess.PIPE,
            stdout=None,
            stderr=None,
            env=environ,
            start_new_session=True,
        )
    except OSError as exc:
        return f"the command {command[0]} cannot be started: {exc.strerror}"
    try:
        with anyio.fail_after(seconds):
            await _hand_over(process, message)
            code = await process.wait()
    except TimeoutError:
        return f"the command {command[0]} took over {seconds:g} s and was killed"
    finally:
        _end(process)
        with anyio.CancelScope(shield=True):
            await process.aclose()
    return f"the command {command[0]} ended with exit code {code}" if code else ""


async def _hand_over(process: anyio.abc.Process, message: bytes) -> None:
    assert process.stdin is not None
    try:
        await process.stdin.send(message + b"\n")
        await process.stdin.aclose()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        return  # the command closed its standard input without reading the summary


def _end(process: anyio.abc.Process) -> None:
    """Kill the command, if it still runs, and every process that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError:
        return  # the command has ended; another user's process now has its number


async def _post(
    url: str, message: bytes, settings: Settings, retrying: AsyncRetrying
) -> str:
    request = Request(
        url,
        method="POST",
        content=message,
        headers={"Content-Type": "application/json"},
    )
    # The URL is from config.toml, so its host may be in a private network.
    options = ClientOptions(settings, allow_private=lambda host: True)
    try:
        async with Client(options) as client:
            async for attempt in retrying:
                with attempt:
                    await _deliver(client, request)
    except RetryError as exc:
        return f"the webhook {url} failed: {exc.last_attempt.exception()}"
    return ""


async def _deliver(client: Client, request: Request) -> None:
    response = await client.fetch(request)
    await response.aclose()
    if not 200 <= response.status_code < 300:
        raise _Refused(
            f"the webhook answered with status {response.status_code}, not 2xx"
        )
