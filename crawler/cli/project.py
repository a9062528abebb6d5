"""Reads the project in a folder: its settings, jobs, outputs and spiders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from crawler import settings as layers
from crawler.cli import loading
from crawler.cli.loading import Loaded, LoadError
from crawler.cli.streams import shown
from crawler.errors import ConfigError
from crawler.errors.nearest_name import nearest_name
from crawler.settings import Layer, Settings, unknown
from crawler.sinks import OutputSpec
from crawler.sinks.spec import spec_of
from crawler.spider import Spider

if TYPE_CHECKING:
    from crawler.jobs.definition import Jobs

Output = TypeVar("Output")


class Target(msgspec.Struct, frozen=True):
    """What NAME in `crawl run NAME` stands for: a spider, with the settings of the job
    if NAME is a job."""

    spider: type[Spider]
    #: The name under which the state is stored, and after which the default output file
    #: is named.
    job: str
    arguments: Mapping[str, object] = msgspec.field(default_factory=dict)
    #: The settings of the job. They override the spider's own settings; environment
    #: variables and the command line override them.
    layers: tuple[Layer, ...] = ()


class Project:
    """The project in the folder `root`. The file config.toml may be missing.

    `flags` are the settings of the command line, each as `section.key=value`.
    """

    def __init__(
        self,
        root: Path,
        flags: Iterable[str] = (),
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.root = root
        self._file, self.config = layers.from_file(root)
        self._last = (layers.from_environment(environ), layers.from_flags(flags))

    def settings(self, target: Target | None = None) -> Settings:
        """Return the settings of `target`, a spider or a job; if it is None, those of
        the project."""
        between: Sequence[Layer] = ()
        if target is not None:
            name = f"{target.spider.__name__}.settings"
            between = (Layer(name, target.spider.settings), *target.layers)
        return layers.build([self._file, *between, *self._last])

    @property
    def described(self) -> float | None:
        """Return when config.toml was last changed (Unix seconds); None if there is no
        file."""
        return None if self.config is None else self.config.stat().st_mtime

    @cached_property
    def jobs(self) -> Jobs:
        """The jobs that config.toml describes, valid or not."""
        from crawler.jobs.definition import jobs_of

        return jobs_of(self._file, datetime.now(UTC))

    def has_job(self, name: str) -> bool:
        """Return whether config.toml describes this job, valid or not."""
        return name in self._file.jobs

    @cached_property
    def outputs(self) -> dict[str, OutputSpec]:
        """The outputs that config.toml describes, by name."""
        source = self._file.source
        tables = self._file.outputs.items()
        return {name: spec_of(name, table, source) for name, table in tables}

    def named_outputs(
        self, given: Iterable[str | Output]
    ) -> tuple[str | OutputSpec | Output, ...]:
        """Replace each name of an [outputs.NAME] table by the output in this table.

        All other values, such as a path, a URI or a sink, are returned unchanged.
        """
        return tuple(
            _output(each, self.outputs) if isinstance(each, str) else each
            for each in given
        )

    @property
    def folder(self) -> Path:
        """The folder that holds the project's spiders."""
        return self.root / self.settings().crawl.spiders

    @cached_property
    def loaded(self) -> Loaded:
        """The spiders of the project, and the files that could not be loaded."""
        return loading.load_folder(self.folder, self.root)

    def target(self, name: str) -> Target:
        """Find the job, the spider, or the file `path.py[:Class]` with this name.

        A job is preferred. Raise ConfigError, with the nearest known name, if nothing
        has this name.
        """
        job = self.jobs.find(name) if self.has_job(name) else None
        if job is None:
            return self._target(name)
        return msgspec.structs.replace(
            self._target(job.spider),
            job=job.name,
            arguments=job.settings.args,
            layers=(job.layer,),
        )

    def job_named(self, name: str) -> str:
        """Return `name`; if it is the file of a spider, the name of the spider."""
        return self._target(name).job if is_file(name) else name

    def _target(self, name: str) -> Target:
        path, class_name = _parts(name)
        if is_file(name):
            spider = loading.load_spider(Path(path), class_name)
        else:
            spider = self._named(name)
        return Target(spider, spider.name)

    def _named(self, name: str) -> type[Spider]:
        loaded = self.loaded
        if name in loaded.doubles:
            where = " and ".join(loading.place(each) for each in loaded.doubles[name])
            raise ConfigError(f"Two spiders are named {name!r}: {where}; rename one")
        if name in loaded.spiders:
            return loaded.spiders[name]
        for path, error in loaded.broken.items():
            if path.stem == name.replace("-", "_") or loading.names(path, name):
                raise error
        raise ConfigError(self._unknown(name, loaded))

    def _unknown(self, name: str, loaded: Loaded) -> str:
        folder = shown(self.folder)
        if Path(f"{name}.py").is_file():
            hint = f"did you mean the file {name}.py?"
        elif hint := self._nearest(name, loaded):
            hint += " (crawl list shows them)"
        elif not self.folder.is_dir():
            hint = _elsewhere(self.root, self.settings().crawl.spiders)
        else:
            hint = f"{folder} holds no spider; crawl new NAME URL writes one"
        where = f"No spider {name!r} in {folder}"
        if loaded.broken:
            errors = "; ".join(str(error) for error in loaded.broken.values())
            hint += f"; files not loaded: {errors}"
        return f"{where}; {hint}"

    def _nearest(self, name: str, loaded: Loaded) -> str:
        """Return a hint: the spider or job with the nearest name, else all names."""
        kinds = {
            "spider": sorted(loaded.spiders),
            "job": sorted([*self.jobs.sound, *self.jobs.broken]),
        }
        for kind, names in kinds.items():
            if near := nearest_name(name, names):
                return f"did you mean the {kind} {near!r}?"
        return "; ".join(
            f"{kind}s are {', '.join(names)}" for kind, names in kinds.items() if names
        )


def _elsewhere(root: Path, folder: str) -> str:
    """Return a hint: the folder above `root` that has spiders, else `crawl new`."""
    for parent in root.resolve().parents:
        if (parent / folder).is_dir():
            return f"there are spiders in {parent}: run crawl there"
    return "crawl new NAME URL writes one"


def is_file(name: str) -> bool:
    """Return whether `name` is a spider's file, `path.py` or `path.py:Class`."""
    return _parts(name)[0].endswith(".py")


def _parts(name: str) -> tuple[str, str]:
    path, colon, class_name = name.rpartition(":")
    return (path, class_name) if colon and path.endswith(".py") else (name, "")


def spider_of(target: Target, given: Iterable[tuple[str, str]]) -> Spider:
    """Create the spider that `target` stands for. Arguments in `given` override those
    of the job."""
    arguments = {**target.arguments, **dict(given)}
    try:
        return target.spider(**arguments)
    except ConfigError:
        raise
    except Exception as exc:
        raise LoadError.of(exc, loading.file_of(target.spider)) from exc


def _output(name: str, described: Mapping[str, OutputSpec]) -> str | OutputSpec:
    """Return the output that config.toml describes under `name`, else `name` itself.

    Raise ConfigError if config.toml does not describe it, and it is no path or URI.
    """
    if (found := described.get(name)) is not None:
        return found
    is_name = not set(name) & set("./:\\") and name not in ("", "-")
    if is_name and described:
        raise ConfigError(unknown(f"output {name!r}", name, described, "-o"))
    return name
