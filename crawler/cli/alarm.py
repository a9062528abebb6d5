"""Calls the hooks of a job (a command or a webhook) when a run of the job has ended."""

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
    """Return the summary that a hook receives if the run failed and has no report."""
    return {"job": job, "exit_code": code, "error": error, "version": __version__}


def tell(project: Project, job: str, told: Mapping[str, Any]) -> str:
    """Call the hook of the job with the summary `told` of the ended run.

    Return the error of the hook as text; "" if the hook succeeded, or if the job has no
    hook.
    """
    hook = hook_of(project, job, is_good=not told["exit_code"])
    if not hook:
        return ""
    wrong = run_in_loop(partial(hooks.call, hook, told, settings_of(project)))
    if wrong:
        complain(f"Job {job}: its hook failed: {wrong}")
    return wrong


def hook_of(project: Project, job: str, *, is_good: bool) -> Hook:
    """Return `on_finish` of the job after a good run, else `on_failure`.

    () if config.toml gives the job no such hook.
    """
    jobs = project.jobs
    if job in jobs.broken:
        return () if is_good else jobs.broken[job].on_failure
    if job not in jobs.sound:
        return ()
    settings = jobs.sound[job].settings
    return settings.on_finish if is_good else settings.on_failure


def settings_of(project: Project) -> Settings:
    """Return the project's settings, or the defaults if the settings are invalid."""
    try:
        return project.settings()
    except ConfigError:
        return Settings()
