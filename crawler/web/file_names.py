"""Makes safe file names from untrusted text: URLs, headers, titles. No I/O.

A safe name is valid on every system: no folder, no Windows device, no character with a
special meaning for a file system or a terminal, at most 255 bytes.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote, urlsplit

#: Maximum length of a name on common file systems, in bytes of UTF-8.
MAX_BYTES = 255
#: Maximum length of an extension in bytes, with its dot.
MAX_EXTENSION = 20

# Characters that Windows refuses, and folder separators.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
# Categories of invisible characters: controls, formats (some change the writing
# direction), surrogates, private and unassigned characters, line separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Names that Windows treats as devices, whatever their extension (Microsoft, "Naming
# Files").
_DEVICE = re.compile(
    r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9\u00b9\u00b2\u00b3])"
    r"[ ]*(?:\.|\Z)",
    re.I,
)


def safe_name(text: str, *, default: str = "file", max_bytes: int = MAX_BYTES) -> str:
    """Return a safe name for one file, as close to `text` as possible.

    Only the part after the last slash or backslash counts. A name that is too long
    keeps its extension. Different texts may give equal names. `default` is returned if
    nothing is left.
    """
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", text)[-1])
    name = "".join(
        " " if char.isspace() else char
        for char in name
        if char.isspace() or unicodedata.category(char) not in _UNSEEN
    )
    name = _FORBIDDEN.sub("_", name).strip(" ").lstrip(".").strip(" ").rstrip(". ")
    if _DEVICE.match(name):
        name = f"_{name}"
    return _cut(name, max_bytes) or default


def name_in_url(url: str) -> str:
    """Return the last part of a URL's path, decoded; "" if the path ends with a
    slash."""
    return unquote(urlsplit(url).path.rsplit("/", 1)[-1], errors="replace")


def split_name(name: str) -> tuple[str, str]:
    """Return a name without its extension, and the extension with its dot, or "" if the
    name has none."""
    stem, dot, extension = name.rpartition(".")
    is_one = stem and extension and extension.isalnum() and extension.isascii()
    if not is_one or len(extension) >= MAX_EXTENSION:
        return name, ""
    return stem, dot + extension


def _cut(name: str, max_bytes: int) -> str:
    if len(name.encode()) <= max_bytes:
        return name
    stem, extension = split_name(name)
    room = max_bytes - len(extension)
    if room <= 0:
        return name.encode()[:max_bytes].decode(errors="ignore").rstrip(". ")
    short = stem.encode()[:room].decode(errors="ignore").rstrip(". ")
    return short + extension
