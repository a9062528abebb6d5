"""Buckets of S3, Google Cloud Storage and Azure, by obstore (the extra `objects`).

Rule: errors of obstore leave here as OSError in one line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from obstore import store as stores
from obstore.exceptions import AlreadyExistsError, BaseError

from crawler.errors import ConfigError

#: One request to the storage; sinks retry for longer.
_RETRY = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}
_CLIENT = {"timeout": "60s", "connect_timeout": "5s"}
_MESSAGE = re.compile(r"<Message>([^<\n]+)</Message>")


def open_bucket(root: str, what: str, options: Mapping[str, Any]) -> Any:
    """The bucket at `root`, such as "s3://books", as a store of obstore.

    `options` are the store's own, such as `region` or `endpoint`; others come from the
    environment. ConfigError begins with `what`.
    """
    endpoint = str(options.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL", ""))
    client = {**_CLIENT, "allow_http": endpoint.startswith("http://")}
    from_url: Any = stores.from_url  # its options are typed for each scheme alone
    try:
        return from_url(
            root, config=options, client_options=client, retry_config=_RETRY
        )
    except (BaseError, ValueError, TypeError) as exc:
        raise ConfigError(f"{what}: {_first_line(exc)}") from exc


@contextmanager
def translated() -> Iterator[None]:
    """Errors of obstore as OSError, in one line."""
    try:
        yield
    except AlreadyExistsError as exc:
        raise FileExistsError(17, "another program has put an object there") from exc
    except FileNotFoundError as exc:
        raise FileNotFoundError(2, _first_line(exc)) from exc
    except BaseError as exc:
        raise OSError(_first_line(exc)) from exc


def _first_line(error: Exception) -> str:
    """The service's own words, if they are there, else the first line."""
    found = _MESSAGE.search(str(error))
    return found[1] if found else str(error).partition("\n")[0]
