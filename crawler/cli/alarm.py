"""Calling the hooks of a job, from wherever its end is known."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from crawler.cli.project import Project
from crawler.cli.running import run_in_loop
from crawler.cli.streams import complain
from crawler.errors import ConfigError
from crawler.jobs import hooks
from crawler.jobs.hooks import Hook
from crawler.settings import Settings
from crawler.version import __version__


def failure(job: str, error: str, code: int) -> dict[str, Any]:
    """What can be said of a job that has no report."""
    return {"job": job, "exit_code": code, "error": error, "version": __version__}


def tell(project: Project, job: str, told: Mapping[str, Any]) -> str:
    """Call the job's hook for this end; what went wrong with it, or nothing."""
    hook = hook_of(project, job, is_good=not told["exit_code"])
    if not hook:
        return ""
    wrong = run_in_loop(partial(hooks.call, hook, told, settings_of(project)))
    if wrong:
        complain(f"Job {job}: hook {wrong}")
    return wrong


def hook_of(project: Project, job: str, *, is_good: bool) -> Hook:
    """Whom a job wants to be told; nobody: empty."""
    jobs = project.jobs
    if job in jobs.broken:
        return () if is_good else jobs.broken[job].on_failure
    if job not in jobs.sound:
        return ()
    settings = jobs.sound[job].settings
    return settings.on_finish if is_good else settings.on_failure


def settings_of(project: Project) -> Settings:
    """The project's settings, or the defaults where they are what is wrong."""
    try:
        return project.settings()
    except ConfigError:
        return Settings()
