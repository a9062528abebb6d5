"""Where the state of a run is kept, and how it is read.

`Store` is the protocol that a run writes by; `Reader` reads what jobs have left.
A store of your own serves a crawl as `Crawl(spider, store=...)`; `crawler.store.open`
makes the stores that come with the package.
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
