"""An item as it was when it was yielded, whatever becomes of the object later. Pure."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

_IMMUTABLE = frozenset(
    {str, int, float, bool, type(None), bytes, date, datetime, time, timedelta}
    | {Decimal, UUID}
)


def snapshot(item: Any) -> Any:
    """A copy that shares nothing that can change; None if the item cannot be copied."""
    if type(item) is dict and _IMMUTABLE.issuperset(map(type, item.values())):
        return item.copy()  # most items are so, and deepcopy takes 20 times as long
    try:
        return deepcopy(item)
    except Exception:  # a user's class may raise anything here
        return None
