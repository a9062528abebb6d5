"""Rules for every file of the package: its size, its names and its test."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "crawler"
FILES = sorted(PACKAGE.rglob("*.py"))

MOST_METHODS, MOST_ATTRIBUTES = 15, 12
#: How a class that is larger says why, in its docstring or above it.
METHODS_REASON = re.compile(r"[Oo]ver (15|fifteen)\s+(#\s+)?methods")
ATTRIBUTES_REASON = re.compile(
    r"[Oo]ver 12\s+(#\s+)?attributes|methods\s+(#\s+)?and 12\s+(#\s+)?attributes"
)
#: Modules without a test file of their own, by the reason; with the file that tests
#: them.
TESTED_ELSEWHERE_BECAUSE: dict[str, dict[str, str]] = {
    "A command does its work as a whole: its tests begin at the command line.": {
        "cli/__init__.py": "cli/test_dispatch.py",
        "cli/alarm.py": "cli/test_stopping.py",
        "cli/filters.py": "cli/test_pages.py",
        "cli/jobs.py": "cli/test_job_status.py",
        "cli/listing.py": "cli/test_project.py",
        "cli/new_project.py": "cli/test_new.py",
        "cli/parse_page.py": "cli/test_pages.py",
        "cli/report_page.py": "cli/test_batch.py",
        "cli/requested.py": "cli/test_pages.py",
        "cli/running.py": "cli/test_run.py",
        "cli/scheduled.py": "cli/test_schedule.py",
        "cli/shell_names.py": "cli/test_shell.py",
        "cli/spider_client.py": "cli/test_pages.py",
        "cli/welcome.py": "cli/test_dispatch.py",
        "demo/spider.py": "cli/test_demo.py",
        "store/postgres/cleaning.py": "cli/test_cleaning.py",
        "store/postgres/put_back.py": "cli/test_history.py",
        "store/sqlite/cleaning.py": "cli/test_cleaning.py",
    },
    "A part of a connection: it needs a connection around it, and a peer.": {
        "http/dialler.py": "http/test_pool.py",
        "http/h2/frame_handlers.py": "http/h2/test_connection_rules.py",
        "http/h2/resend.py": "http/h2/test_connection.py",
        "http/h2/stream_endings.py": "http/h2/test_streams.py",
        "http/handshake.py": "http/test_connector.py",
        "http/proxy/wire.py": "http/proxy/test_tunnel.py",
        "http/response_body.py": "http/test_client.py",
        "http/transfer.py": "http/test_transport.py",
        "http/transfer_clock.py": "http/test_transport.py",
    },
    "Statements for PostgreSQL: the tests of both kinds of store are one.": {
        "store/postgres/change.py": "store/test_contract.py",
        "store/postgres/gathered.py": "store/test_agreement.py",
        "store/postgres/item_rows.py": "store/test_contract.py",
        "store/postgres/landing.py": "store/test_agreement.py",
        "store/postgres/link_rows.py": "store/test_contract.py",
        "store/postgres/pipeline.py": "store/test_contract.py",
        "store/postgres/reader.py": "cli/test_history.py",
        "store/postgres/request_columns.py": "store/test_contract.py",
        "store/postgres/rows.py": "cli/test_history.py",
        "store/postgres/run_reader.py": "cli/test_history.py",
        "store/postgres/staging.py": "store/test_contract.py",
        "store/postgres/statements.py": "store/test_contract.py",
        "store/postgres/write_rows.py": "store/test_contract.py",
    },
    "What processes that share a database agree on: it needs several of them.": {
        "store/postgres/beat.py": "store/postgres/test_cuts.py",
        "store/postgres/catalog.py": "cli/test_shared_store.py",
        "store/postgres/membership.py": "cli/test_work.py",
        "store/postgres/opening.py": "cli/test_shared_store.py",
        "store/postgres/team.py": "cli/test_work.py",
    },
    "The face of objects that users have: it is tested on these objects.": {
        "extraction/plan.py": "extraction/test_extract.py",
        "pipelines/base.py": "pipelines/test_chain.py",
        "sinks/file_sink.py": "sinks/test_files.py",
        "spider/base.py": "run/test_callbacks.py",
    },
    "A part of a crawl that a crawl's own tests see from outside.": {
        "run/hook_work.py": "run/test_own_fetches.py",
        "run/visit.py": "run/test_endings.py",
        "sinks/follower.py": "sinks/test_outputs.py",
        "spider/at_work.py": "spider/test_counting.py",
    },
    "A few lines around a library or another module, which are tested with these.": {
        "http/__init__.py": "test_public_api.py",
        "http/options.py": "http/test_transport.py",
        "pipelines/files/image_values.py": "pipelines/files/test_pictures.py",
        "sinks/postgres_table.py": "sinks/test_postgres.py",
        "store/object_storage.py": "sinks/test_objects.py",
        "web/html_parser.py": "web/test_selectors.py",
    },
}
TESTED_ELSEWHERE = {
    name: elsewhere
    for rows in TESTED_ELSEWHERE_BECAUSE.values()
    for name, elsewhere in rows.items()
}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def classes() -> Iterator[tuple[Path, ast.ClassDef]]:
    for path in FILES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                yield path, node


def count_methods(node: ast.ClassDef) -> int:
    return sum(
        isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        and not any(ast.unparse(it).endswith("overload") for it in each.decorator_list)
        for each in node.body
    )


def attributes(node: ast.ClassDef) -> set[str]:
    """Fields, slots, and what is set on `self`."""
    found: set[str] = set()
    is_enum = any("Enum" in ast.unparse(base) for base in node.bases)
    for each in [] if is_enum else node.body:
        targets = each.targets if isinstance(each, ast.Assign) else []
        if isinstance(each, ast.AnnAssign):
            targets = [each.target]
        names = [it.id for it in targets if isinstance(it, ast.Name)]
        if names == ["__slots__"] and isinstance(each, ast.Assign):
            found.update(ast.literal_eval(each.value))
        found.update(name for name in names if not name.startswith("__"))
    for inner in ast.walk(node):
        if (
            isinstance(inner, ast.Attribute)
            and isinstance(inner.ctx, ast.Store)
            and isinstance(inner.value, ast.Name)
            and inner.value.id == "self"
        ):
            found.add(inner.attr)
    return found


def words_beside(path: Path, node: ast.ClassDef) -> str:
    """The comment above a class, and its docstring."""
    lines = path.read_text().splitlines()
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1
    comment: list[str] = []
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
        comment.insert(0, lines[first])
    return "\n".join([*comment, ast.get_docstring(node) or ""])


def named(path: Path, node: ast.ClassDef) -> str:
    return f"{path.relative_to(ROOT)}: {node.name}"


def test_a_class_with_many_methods_gives_a_reason() -> None:
    silent = [
        named(path, node)
        for path, node in classes()
        if count_methods(node) > MOST_METHODS
        and not METHODS_REASON.search(words_beside(path, node))
    ]

    assert silent == [], f"cut it, or say: Over {MOST_METHODS} methods: why"


def test_a_class_with_many_attributes_gives_a_reason() -> None:
    silent = [
        named(path, node)
        for path, node in classes()
        if len(attributes(node)) > MOST_ATTRIBUTES
        and not ATTRIBUTES_REASON.search(words_beside(path, node))
    ]

    assert silent == [], f"cut it, or say: Over {MOST_ATTRIBUTES} attributes: why"


def test_no_class_gives_a_reason_that_it_does_not_need() -> None:
    outdated = [
        named(path, node)
        for path, node in classes()
        if (
            METHODS_REASON.search(words_beside(path, node))
            and count_methods(node) <= MOST_METHODS
        )
        or (
            ATTRIBUTES_REASON.search(words_beside(path, node))
            and len(attributes(node)) <= MOST_ATTRIBUTES
        )
    ]

    assert outdated == [], "drop the reason: the class is small"


def test_no_two_public_classes_have_the_same_name() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in FILES:
        for each in tree_of(path).body:
            if isinstance(each, ast.ClassDef) and not each.name.startswith("_"):
                homes[each.name].append(str(path.relative_to(ROOT)))

    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def rooms() -> list[Path]:
    return [path.parent for path in FILES if path.name == "__init__.py"]


@pytest.mark.parametrize("room", rooms(), ids=lambda room: room.name)
def test_no_module_has_the_name_of_an_object_of_its_package(room: Path) -> None:
    door = import_module(".".join(room.relative_to(ROOT).parts))
    offered = set(getattr(door, "__all__", ()))
    modules = {path.stem for path in room.glob("*.py")}

    assert offered & modules == set()


def test_no_module_has_the_name_of_a_public_function() -> None:
    public = set(import_module("crawler").__all__)

    assert [path for path in FILES if path.stem in public] == []


def test_the_top_level_has_under_a_dozen_modules() -> None:
    assert len(list(PACKAGE.glob("*.py"))) < 12


def module(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def test_of(path: Path) -> Path:
    """Where the test of a module stands; that of a room has the room's name."""
    inside = path.relative_to(PACKAGE)
    if path.name == "__init__.py":
        return ROOT / "tests" / inside.parent / f"test_{path.parent.name}.py"
    return ROOT / "tests" / inside.with_name(f"test_{path.name}")


test_of.__test__ = False  # type: ignore[attr-defined]


#: The functions of a room whose names are loaded at their first use.
DOOR = {"__getattr__", "__dir__"}


def has_code(path: Path) -> bool:
    """Whether a module has a function with a body of its own.

    A module of types and values has none; `__init__.py` may also load names.
    """
    ignored = DOOR if path.name == "__init__.py" else set()
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name not in ignored
        and not all(is_silent(each) for each in node.body)
        for node in ast.walk(tree_of(path))
    )


def is_silent(statement: ast.stmt) -> bool:
    """Whether a statement is a docstring or `...`, as in a protocol's methods."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def test_every_module_has_its_test_at_the_same_place() -> None:
    bare = [
        module(path)
        for path in FILES
        if has_code(path)
        and not test_of(path).exists()
        and module(path) not in TESTED_ELSEWHERE
    ]

    assert bare == []


def test_modules_tested_elsewhere_have_no_test_file_and_are_tested_there() -> None:
    for name, elsewhere in TESTED_ELSEWHERE.items():
        assert (PACKAGE / name).exists(), name
        assert has_code(PACKAGE / name), f"{name} needs no test"
        assert not test_of(PACKAGE / name).exists(), name
        assert (ROOT / "tests" / elsewhere).exists(), elsewhere
