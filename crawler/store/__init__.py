"""Where the state of a run is stored, and how it is read.

A run writes through the `Store` protocol; `Reader` reads what jobs have stored.
`crawler.store.open` creates the stores of this package; pass another store to a crawl
by `Crawl(spider, store=...)`.
"""

from crawler.store.base import (
    Answer,
    Attempt,
    Committed,
    Explanation,
    Facts,
    Item,
    ItemLog,
    ItemRow,
    Opening,
    Outcome,
    Place,
    Portion,
    Rejected,
    RequestQueue,
    RunStart,
    State,
    Store,
    count_outcome,
)
from crawler.store.files import FileTable, KeptFile
from crawler.store.reading import Changes, Reader, RunReader, RunRecord, Visit
from crawler.store.status import RestingHost, Status

__all__ = [
    "Answer",
    "Attempt",
    "Changes",
    "Committed",
    "Explanation",
    "Facts",
    "FileTable",
    "Item",
    "ItemLog",
    "ItemRow",
    "KeptFile",
    "Opening",
    "Outcome",
    "Place",
    "Portion",
    "Reader",
    "Rejected",
    "RequestQueue",
    "RestingHost",
    "RunReader",
    "RunRecord",
    "RunStart",
    "State",
    "Status",
    "Store",
    "Visit",
    "count_outcome",
]
