"""Access to buckets of S3, Google Cloud Storage and Azure, by obstore (the extra
`objects`).

Rule: obstore's errors are raised as OSError with one line of text.
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

#: How obstore retries one request to the storage; the outputs themselves retry for a
#: longer time.
_RETRY = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}
_CLIENT = {"timeout": "60s", "connect_timeout": "5s"}
_MESSAGE = re.compile(r"<Message>([^<\n]+)</Message>")


def open_bucket(root: str, what: str, options: Mapping[str, Any]) -> Any:
    """Return obstore's store for the bucket at `root`, such as "s3://books".

    `options` are obstore's own, such as `region` or `endpoint`; other values come from
    the environment. The text of a ConfigError begins with `what`.
    """
    endpoint = str(options.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL", ""))
    client = {**_CLIENT, "allow_http": endpoint.startswith("http://")}
    # obstore types its options separately for each scheme
    from_url: Any = stores.from_url
    try:
        return from_url(
            root, config=options, client_options=client, retry_config=_RETRY
        )
    except (BaseError, ValueError, TypeError) as exc:
        raise ConfigError(
            f"{what} cannot be opened: {_first_line(exc)}; check the URL, the options "
            "and the environment variables of the object storage"
        ) from exc


@contextmanager
def translated() -> Iterator[None]:
    """Raise errors of obstore as OSError with one line of text."""
    try:
        yield
    except AlreadyExistsError as exc:
        raise FileExistsError(
            17, "another program has put an object at this path of the storage"
        ) from exc
    except FileNotFoundError as exc:
        raise FileNotFoundError(2, _first_line(exc)) from exc
    except BaseError as exc:
        raise OSError(_first_line(exc)) from exc


def _first_line(error: Exception) -> str:
    """Return the storage service's own message if the error contains one, else the
    error's first line."""
    found = _MESSAGE.search(str(error))
    return found[1] if found else str(error).partition("\n")[0]
