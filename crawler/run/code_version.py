"""The version of a spider's code: a hash of its sources, equal on all machines.

    code_version(Books)  # '0.2.0+3f2a9c81d04e'

The version of the crawler comes first. The hash covers the modules of the spider and
its base classes, and the project's own modules that they import, directly or
indirectly. The standard library, installed packages and settings do not count.

Rule: paths, dates and line ends do not affect the hash.
"""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from hashlib import sha256
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from crawler.spider import Spider
from crawler.version import __version__

#: Number of digits of the hash.
_DIGITS = 12
#: Number of bytes before the code in a compiled module (.pyc). The hash skips these
#: bytes, because they include the date of the source.
_HEAD_OF_COMPILED = 16
_SUFFIXES = (".py", ".pyc")
#: Top-level packages of a spider's base classes that are not the project's own.
_NOT_OWN = ("builtins", "abc", "typing", "crawler")
_PACKAGE = Path(__file__).parents[1]
_LIBRARY = Path(sysconfig.get_path("stdlib"))


def code_version(spider: type[Spider]) -> str:
    """Return the version of a spider's code: the crawler's version, and a hash.

    A module without source counts by its compiled code, and its imports are not
    followed. A module without any file counts by its name.
    """
    whole = sha256()
    for line in sorted(code_files(spider).values()):
        whole.update(line)
    return f"{__version__}+{whole.hexdigest()[:_DIGITS]}"


def code_files(spider: type[Spider]) -> dict[Path | str, bytes]:
    """Return the hash of each file of the spider's code, by path. A module without a
    file is named by its module name instead."""
    sources = _Sources()
    modules = dict.fromkeys(each.__module__ for each in spider.__mro__)
    names = [name for name in modules if name.partition(".")[0] not in _NOT_OWN]
    sources.packages = {name.partition(".")[0] for name in names if "." in name}
    for name in names:
        sources.add(name, is_own=True)
    sources.follow()
    return sources.found


class _Sources:
    """Finds the files of the project's own modules, and the hash of each file."""

    def __init__(self) -> None:
        #: Top-level packages that count as the project's own even if they are
        #: installed.
        self.packages: set[str] = set()
        #: By path: the hash of each file. A module without a file has its module name
        #: as the key.
        self.found: dict[Path | str, bytes] = {}
        self._specs: dict[str, ModuleSpec | None] = {}
        #: Sources whose imports are not followed yet: the source text, and the name of
        #: its package.
        self._new: list[tuple[bytes, str]] = []

    def add(self, name: str, *, is_own: bool = False) -> None:
        """Add a module to the found files, if it belongs to the project."""
        path = self._file(name)
        if path is None:
            if is_own:
                self.found[name] = sha256(name.encode()).digest()
            return
        if path in self.found or not (is_own or self._is_own(name, path)):
            return
        try:
            text = path.read_bytes()
        except OSError:  # the module's source is not a file, for example in an archive
            self.found[path] = sha256(name.encode()).digest()
            return
        is_source = path.suffix == ".py"
        text = text.replace(b"\r\n", b"\n") if is_source else text[_HEAD_OF_COMPILED:]
        is_package = path.stem == "__init__"
        label = path.parent.name if is_package else path.stem
        self.found[path] = sha256(label.encode() + b"\0" + text).digest()
        if is_source:
            package = name if is_package else name.rpartition(".")[0]
            self._new.append((text, package))

    def follow(self) -> None:
        """Add the modules that the known modules import, and the modules that those
        import, until there are no new ones."""
        while self._new:
            text, package = self._new.pop()
            for name in _imported(text, package):
                self.add(name)

    def _is_own(self, name: str, path: Path) -> bool:
        top = name.partition(".")[0]
        if top in self.packages:
            return True
        is_installed = {"site-packages", "dist-packages"} & set(path.parts)
        outside = (_PACKAGE, _LIBRARY)
        return not is_installed and not any(map(path.is_relative_to, outside))

    def _file(self, name: str) -> Path | None:
        if name.partition(".")[0] in sys.stdlib_module_names:
            return None
        origin = getattr(sys.modules.get(name), "__file__", None)
        if origin is None and (spec := self._spec(name)) is not None:
            origin = spec.origin if spec.has_location else None
        path = Path(origin) if origin else None
        return path if path is not None and path.suffix in _SUFFIXES else None

    def _spec(self, name: str) -> ModuleSpec | None:
        """Return the file and loader of a module (its import spec), without importing
        the module."""
        if name not in self._specs:
            parent, _, _ = name.rpartition(".")
            places: Iterable[str] | None = None
            if parent:
                places = getattr(sys.modules.get(parent), "__path__", None)
                if places is None and (above := self._spec(parent)) is not None:
                    places = above.submodule_search_locations
            is_known = not parent or places is not None
            where = None if places is None else list(places)
            self._specs[name] = PathFinder.find_spec(name, where) if is_known else None
        return self._specs[name]


def _imported(text: bytes, package: str) -> Iterator[str]:
    """Yield the names of modules that a source may import, and of their packages."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node.module or "", node.level, package)
            yield from _with_parents(base)
            for alias in node.names:
                yield f"{base}.{alias.name}" if base else alias.name


def _absolute(module: str, level: int, package: str) -> str:
    """Return the absolute name for a relative import; `level` is its number of dots."""
    if not level:
        return module
    parts = package.split(".")
    above = parts[: len(parts) - level + 1]
    return ".".join([*above, module] if module else above)


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".") if name else []
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])
