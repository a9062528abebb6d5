"""The public names: they exist, are documented, and are imported only when used."""

import ast
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import crawler
import crawler.http
import crawler.store
import crawler.testing

#: Modules with an `__all__` that people import from, beside `crawler` itself.
DOORS = [crawler, crawler.http, crawler.store, crawler.testing]
#: Imported by nobody but the one command or feature that needs it.
HEAVY = ["anyio", "asyncio", "httpx", "msgspec", "rich", "selectolax", "sqlite3", "ssl"]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_every_public_name_can_be_imported(door: object) -> None:
    listed = door.__all__  # type: ignore[attr-defined]

    missing = [name for name in listed if not hasattr(door, name)]

    assert missing == []
    assert listed == sorted(listed)


def test_type_checkers_see_exactly_the_public_names() -> None:
    tree = ast.parse(inspect.getsource(crawler))
    declared = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module not in ("__future__", "importlib", "typing")
        for alias in node.names
    }

    assert declared == set(crawler.__all__)
    assert set(dir(crawler)) >= declared


def test_every_error_that_a_user_may_catch_is_public() -> None:
    errors = import_module("crawler.errors")
    public = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and value.__module__ == errors.__name__
    }

    # The store's own: the engine acts on them, and a person gets a StateError.
    assert public - {"StoreError", "StoreAway", "LeaseLost", "NoRun"} <= set(
        crawler.__all__
    )


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'crawler' has no attribute 'Spyder'"):
        crawler.Spyder  # noqa: B018


def _public() -> Iterator[tuple[str, object]]:
    for door in DOORS:
        for name in door.__all__:
            value = getattr(door, name)
            if not getattr(value, "__module__", "").startswith("crawler"):
                continue  # handed through from httpx, or an alias of types
            yield f"{door.__name__}.{name}", value
            if inspect.isclass(value):
                for method, function in vars(value).items():
                    is_own = inspect.isfunction(function) or isinstance(
                        function, property | classmethod | staticmethod
                    )
                    if is_own and not method.startswith("_"):
                        yield f"{door.__name__}.{name}.{method}", function


def test_everything_public_is_documented() -> None:
    silent = [name for name, value in _public() if not inspect.getdoc(value)]

    assert silent == []


def test_importing_the_package_imports_no_slow_module() -> None:
    # What coverage imports on its own account was there before.
    code = (
        "import sys; before = set(sys.modules); import crawler; "
        f"print(*sorted((set(sys.modules) - before) & set({HEAVY!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(crawler.__file__).parent.parent,
    )

    assert done.stdout.split() == []


def test_every_module_has_a_docstring() -> None:
    package = Path(crawler.__file__).parent
    files = [package / "__init__.py"]
    for module in pkgutil.walk_packages([str(package)], "crawler."):
        path = package.joinpath(*module.name.split(".")[1:])
        files.append(path / "__init__.py" if module.ispkg else path.with_suffix(".py"))

    silent = [
        str(file)
        for file in files
        if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    ]

    assert silent == []


def test_the_package_tells_type_checkers_that_it_is_typed() -> None:
    assert (Path(crawler.__file__).parent / "py.typed").is_file()


def test_a_crawl_without_forms_and_typed_items_imports_neither() -> None:
    code = (
        "import sys; import crawler.run.api, crawler.cli.run; from crawler import css\n"
        "names = [n for n in sys.modules if n.startswith(('crawler.forms', "
        "'crawler.web.forms', 'crawler.extraction'))]; print(*sorted(names))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(crawler.__file__).parent.parent,
    )

    # `css` itself is small.
    assert done.stdout.split() == ["crawler.extraction", "crawler.extraction.sources"]
