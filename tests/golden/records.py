"""Records in files: read, written for people, and compared line by line."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "records"
#: Values that fit into a line of so many characters stand in one.
WIDTH = 150


@dataclass
class Record:
    """What came of a crawl, as JSON values without anything that varies.

    `behaviour` is requests, items, summaries, exit codes and state; `texts` holds the
    sentences for people, so that a change of wording shows apart from the rest.
    """

    behaviour: dict[str, Any]
    texts: dict[str, Any]


def load(name: str) -> Record:
    """The record of a crawl as it is kept."""
    found = json.loads(_path(name).read_text(encoding="utf-8"))
    return Record(found["behaviour"], found["texts"])


def kept_names() -> list[str]:
    """The names of all records."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def write(name: str, record: Record) -> bool:
    """Keep the record of a crawl; returns whether it differs from the one before."""
    path = _path(name)
    text = formatted({"behaviour": record.behaviour, "texts": record.texts}) + "\n"
    has_changed = not path.exists() or path.read_text(encoding="utf-8") != text
    path.write_text(text, encoding="utf-8")
    return has_changed


def difference(kept: Any, found: Any) -> str:
    """What differs between two values, line by line; empty if they are equal."""
    lines = difflib.unified_diff(
        formatted(kept).splitlines(),
        formatted(found).splitlines(),
        "as recorded",
        "as it is now",
        lineterm="",
        n=4,
    )
    return "\n".join(lines)


def formatted(value: Any, indent: int = 0) -> str:
    """JSON for people: what fits into a line stands in one."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= WIDTH or not isinstance(value, dict | list):
        return line
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        rows = [
            f"{pad}{json.dumps(key, ensure_ascii=False)}: {formatted(each, indent + 2)}"
            for key, each in value.items()
        ]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    rows = [pad + formatted(each, indent + 2) for each in value]
    return "[\n" + ",\n".join(rows) + "\n" + " " * indent + "]"


def _path(name: str) -> Path:
    return FOLDER / f"{name}.json"
