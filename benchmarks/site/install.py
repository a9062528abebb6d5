"""What the site is made of: nginx, openssl and two packages of documentation."""

import os
import shutil
import subprocess
from pathlib import Path

DOCUMENTATION = {
    "python": Path("/usr/share/doc/python3-doc/html"),
    "postgresql": Path("/usr/share/doc/postgresql-doc-15/html"),
}
_PROGRAMS = {"nginx": "nginx", "openssl": "openssl", "setpriv": "util-linux"}
_PACKAGES = {"python": "python3-doc", "postgresql": "postgresql-doc-15"}


class SiteUnavailable(Exception):
    """Something that the site needs is not installed; the message says what."""


def missing() -> list[str]:
    """The Debian packages that are still to be installed."""
    programs = [
        package
        for program, package in _PROGRAMS.items()
        if shutil.which(program, path=_search_path()) is None
    ]
    trees = [
        package
        for tree, package in _PACKAGES.items()
        if not (DOCUMENTATION[tree] / "index.html").is_file()
    ]
    return programs + trees


def install() -> None:
    """Install what is missing if we are root, else say what a person has to."""
    packages = missing()
    if not packages:
        return
    wanted = " ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SiteUnavailable(
            f"the site needs {wanted}: run `apt-get install {wanted}` as root"
        )
    _apt_get("update")
    # --reinstall and --path-include, because slim images leave /usr/share/doc out
    # of packages that they call installed.
    _apt_get(
        "install",
        "--reinstall",
        "--no-install-recommends",
        "-o",
        "Dpkg::Options::=--path-include=/usr/share/doc/*",
        *packages,
    )
    if still := missing():
        raise SiteUnavailable(f"apt-get ran, but {' '.join(still)} is still missing")


def program(name: str) -> str:
    """The full path of one of the programs, found also outside a user's PATH."""
    found = shutil.which(name, path=_search_path())
    if found is None:
        raise SiteUnavailable(f"the site needs {_PROGRAMS[name]}")
    return found


def _apt_get(command: str, *arguments: str) -> None:
    # RUNLEVEL=1 keeps nginx's package from starting the system's own nginx.
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    done = subprocess.run(
        ["apt-get", "-qq", "-y", "-o", "DPkg::Lock::Timeout=120", command, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise SiteUnavailable(f"apt-get {command} failed: {' '.join(reason)}")


def _search_path() -> str:
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
