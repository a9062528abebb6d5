"""Makes the path of a file from a template and the facts about the file. No I/O."""

from __future__ import annotations

from string import Formatter

import msgspec

from crawler.errors import ConfigError
from crawler.web.file_extensions import TYPES
from crawler.web.file_names import MAX_BYTES, safe_name, split_name

#: The template of a path that depends only on the file's content, so that equal files
#: are stored once.
BY_CONTENT = "{sha256:.2}/{sha256}{ext}"
FIELDS = ("sha256", "name", "stem", "ext", "host", "job", "spider")
#: Number of bytes that are kept free in a file name, for a suffix that makes it unique.
_ROOM = 16

_FAVOURED = ("jpg", "mp3", "mp4", "mpeg", "tif", "gz", "bin", "mid", "ogg", "ps")
_BY_TYPE = {
    **{kind: extension for extension, kind in reversed(TYPES.items())},
    **{TYPES[extension]: extension for extension in _FAVOURED if extension in TYPES},
    "text/html": "html",
    "text/plain": "txt",
    "text/csv": "csv",
    "text/xml": "xml",
    "application/xml": "xml",
    "application/json": "json",
    "application/x-gzip": "gz",
    "image/svg+xml": "svg",
    "image/x-icon": "ico",
}


class NamedFile(msgspec.Struct, frozen=True):
    """The facts about a file that the placeholders of a path template stand for."""

    sha256: str
    #: The file name that the server gives, or else the one in the URL; it may contain
    #: characters that a file system does not allow.
    name: str
    type: str
    host: str


def check_template(template: str) -> None:
    """Raise ConfigError for a path template that has an unknown placeholder, or that
    gives all files the same path."""
    try:
        parsed = list(Formatter().parse(template))
        names = [name for _, name, _, _ in parsed if name is not None]
        unknown = [name for name in names if name not in FIELDS]
        if not unknown:
            template.format(**dict.fromkeys(FIELDS, ""))
    except (ValueError, TypeError) as exc:
        raise ConfigError(
            f"Files(path={template!r}) is not a valid template: {exc}"
        ) from exc
    if unknown:
        known = ", ".join(FIELDS)
        raise ConfigError(
            f"Files(path={template!r}): the placeholder {{{unknown[0]}}} is unknown; "
            f"use some of these: {known}"
        )
    if "sha256" not in names and "name" not in names and "stem" not in names:
        raise ConfigError(
            f"Files(path={template!r}): all files would have the same path; use "
            "{sha256}, {name} or {stem}"
        )


def path_of(template: str, file: NamedFile, job: str = "", spider: str = "") -> str:
    """Return the path of a file; the name of each folder, and of the file, is valid in
    every file system."""
    name = safe_name(file.name)
    stem, own = split_name(name)
    extension = extension_of(file.type, own)
    values = {
        "sha256": file.sha256,
        "name": stem + extension,
        "stem": stem,
        "ext": extension,
        "host": file.host,
        "job": job,
        "spider": spider,
    }
    # Only slashes in the template may create folders, not slashes in the values.
    safe = {key: value.replace("/", "_") for key, value in values.items()}
    parts = template.format(**safe).split("/")
    room = MAX_BYTES - _ROOM
    return "/".join(safe_name(part, max_bytes=room) for part in parts if part)


def beside(path: str, sha256: str) -> str:
    """Return `path` with the file's checksum added to its name, because another file
    already has this path."""
    folder, slash, name = path.rpartition("/")
    stem, extension = split_name(name)
    return f"{folder}{slash}{stem}-{sha256[:12]}{extension}"


def extension_of(kind: str, own: str) -> str:
    """Return the file extension for a media type, such as ".jpg". If `own`, the
    extension in the file's name, fits the type, return `own`."""
    known = _BY_TYPE.get(kind)
    if known is None or TYPES.get(own[1:].lower()) == kind:
        return own.lower()
    return f".{known}"
