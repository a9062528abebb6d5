"""Loads spiders from Python files. An error in a file becomes one line with the file
and the line number.

Rule: a file that cannot be loaded never hides the spiders of other files.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

import msgspec

from crawler.cli import printing
from crawler.cli.streams import shown
from crawler.errors import ConfigError
from crawler.spider import Spider
from crawler.web.lazy_regex import lazy_regex

#: Names of files (without .py) and folders that are not searched for spiders.
_IGNORED = lazy_regex(r"[_.].*|test_.*|conftest")


class LoadError(ConfigError):
    """The file of a spider cannot be loaded, or has no usable spider."""

    @classmethod
    def of(cls, exc: BaseException, path: Path) -> LoadError:
        """Return the error to show if a spider's file raised `exc` when it was
        imported."""
        if isinstance(exc, SystemExit):
            what = "ends the program; a spider's file must only define the spider"
            return cls(f"{_where(exc, path)}: {what}")
        if isinstance(exc, SyntaxError):
            place = f"{shown(Path(exc.filename or path))}:{exc.lineno or 1}"
            return cls(f"{place}: {type(exc).__name__}: {exc.msg}")
        what = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
        if isinstance(exc, ConfigError):
            what = str(exc)
        elif isinstance(exc, ModuleNotFoundError):
            what += "; install it, or put it beside the spider"
        return cls(f"{_where(exc, path)}: {what}")


class Loaded(msgspec.Struct):
    """The spiders of a folder, and the files that could not be loaded."""

    spiders: dict[str, type[Spider]] = msgspec.field(default_factory=dict)
    #: For each name that more than one spider has: these spiders.
    doubles: dict[str, list[type[Spider]]] = msgspec.field(default_factory=dict)
    broken: dict[Path, LoadError] = msgspec.field(default_factory=dict)


def load_folder(folder: Path, root: Path) -> Loaded:
    """Load all spiders in `folder` and its subfolders.

    Files in `folder`, and in the project folder `root`, can import one another.
    """
    loaded = Loaded()
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else []
    if files:
        _make_importable(folder)
        _make_importable(root)
    for path in files:
        inner = path.relative_to(folder)
        if any(is_ignored(part.removesuffix(".py")) for part in inner.parts):
            continue
        try:
            _sort_in(loaded, spiders_in(_load(path), path))
        except LoadError as exc:
            loaded.broken[path] = exc
    return loaded


def is_ignored(name: str) -> bool:
    """Return whether a file or folder with this name (without .py) is ignored."""
    return _IGNORED.fullmatch(name) is not None


def _sort_in(loaded: Loaded, spiders: list[type[Spider]]) -> None:
    for spider in spiders:
        name = spider.name
        if name in loaded.doubles:
            loaded.doubles[name].append(spider)
        elif name in loaded.spiders:
            loaded.doubles[name] = [loaded.spiders.pop(name), spider]
        else:
            loaded.spiders[name] = spider


def load_spider(path: Path, class_name: str = "") -> type[Spider]:
    """Load a spider from a file: the class `class_name`, else the only spider in it.

    Raise LoadError if there is no such spider.
    """
    if not path.is_file():
        raise LoadError(
            f"There is no file {shown(path)}; crawl list shows the spiders, and "
            "crawl new writes one"
        )
    _make_importable(path.parent)
    module = _load(path)
    if class_name:
        return _class_of(module, class_name, path)
    spiders = spiders_in(module, path)
    if not spiders:
        raise LoadError(
            f"{shown(path)} has no Spider class; write `class Books(Spider):` with "
            "`name` and `start_urls` (crawl new NAME URL writes such a file)"
        )
    if len(spiders) > 1:
        names = " and ".join(spider.__name__ for spider in spiders)
        example = f"{shown(path)}:{spiders[0].__name__}"
        raise LoadError(
            f"{shown(path)} has several spiders: {names}; choose one, such as {example}"
        )
    return spiders[0]


def _class_of(module: ModuleType, name: str, path: Path) -> type[Spider]:
    found = getattr(module, name, None)
    if isinstance(found, type) and issubclass(found, Spider):
        if not found.name:
            raise _nameless(found, path)
        return found
    names = [each.__name__ for each in spiders_in(module, path)]
    hint = f"it has {', '.join(names)}" if names else "it has no spider"
    raise LoadError(f"{shown(path)} has no Spider class {name!r}; {hint}")


def spiders_in(module: ModuleType, path: Path) -> list[type[Spider]]:
    """Return the spiders that a module defines.

    A class without a `name` is a base class and is skipped. Raise LoadError if no other
    class of the module is derived from it: then the name was forgotten.
    """
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Spider)
        and value.__module__ == module.__name__
    ]
    own = list(dict.fromkeys(own))
    for spider in own:
        is_base = any(spider in other.__mro__[1:] for other in own)
        if not (isinstance(spider.name, str) and spider.name) and not is_base:
            raise _nameless(spider, path)
    return [spider for spider in own if spider.name]


def _nameless(spider: type[Spider], path: Path) -> LoadError:
    stem = path.stem.lower()
    return LoadError(
        f"{place(spider)}: spider {spider.__name__} has no name; "
        f"write name = {stem!r} in it"
    )


def _load(path: Path) -> ModuleType:
    """Load a file as a module of its own, whatever the file's name.

    Raise LoadError if the code in the file raises an exception.
    """
    name = "crawl_file_" + re.sub(r"\W", "_", str(path.resolve()))
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses and annotations look for their module in sys.modules
    sys.modules[name] = module
    try:
        with printing.to_standard_error():
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as exc:
        del sys.modules[name]
        raise LoadError.of(exc, path) from exc
    return module


def names(path: Path, name: str) -> bool:
    """Return whether a file contains the line `name = "NAME"`, with this name.

    So the file of a spider can be found although the file cannot be loaded.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    quoted = f"['\"]{re.escape(name)}['\"]"
    return re.search(rf"^\s*name\b[^=\n]*=\s*{quoted}", text, re.M) is not None


def _make_importable(folder: Path) -> None:
    """Let the files of a folder import one another.

    The folder is added at the end of sys.path, so that a spider in json.py does not
    hide the module `json` of Python.
    """
    text = str(folder.resolve())
    if text not in sys.path:
        sys.path.append(text)


def file_of(spider: type[Spider]) -> Path:
    """Return the file that defines a spider."""
    return Path(inspect.getfile(spider))


def place(spider: type[Spider]) -> str:
    """Return where the class of a spider is defined, as FILE:LINE."""
    path = file_of(spider)
    try:
        line = inspect.getsourcelines(spider)[1]
    except OSError:
        return shown(path)
    return f"{shown(path)}:{line}"


def _where(exc: BaseException, path: Path) -> str:
    """Return where an error is in the file `path`, as FILE:LINE."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(exc.__traceback__)
        if frame.filename == str(path)
    ]
    return f"{shown(path)}:{lines[-1]}" if lines else shown(path)
