"""Converts entries (requests with their place in the queue) to the columns that the
tables `urls` and `staged_urls` share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crawler.request import Entry, encode_options
from crawler.store.postgres.arrays import Bigints, Blobs, Integers, Texts


def request_columns(
    entries: Sequence[Entry], hosts: Mapping[str, int], depths: Iterable[int]
) -> tuple[Any, ...]:
    """Return the columns parent, rank, host, depth, url, callback, found_as, options
    and meta."""
    requests = [entry.request for entry in entries]
    return (
        Bigints([entry.parent for entry in entries]),
        Bigints([-request.priority for request in requests]),
        Integers([hosts[entry.host] for entry in entries]),
        Integers(depths),
        Texts([request.url for request in requests]),
        Texts([request.callback for request in requests]),
        Texts([entry.found_as for entry in entries]),
        Blobs([encode_options(request.options) or b"" for request in requests]),
        Blobs([request.encoded_meta or b"" for request in requests]),
    )
