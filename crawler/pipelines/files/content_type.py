"""Finds a file's media type from its first bytes and its declared type. No I/O."""

from __future__ import annotations

from collections.abc import Collection

from crawler.web.media_type import is_xml, sniff

#: Detected types that many file formats share, because their files begin with the same
#: bytes: a docx file is a zip file. The declared type may be more exact.
_GENERAL = frozenset(
    {
        "application/octet-stream",
        "application/ogg",
        "application/x-gzip",
        "application/zip",
        "text/plain",
        "text/xml",
    }
)
#: Detected types whose files may be images, audio or video; so a declared type such as
#: "video/ogg" is used.
_UNSEEN = frozenset({"application/octet-stream", "application/ogg"})


def type_of(head: bytes, declared: str) -> str:
    """Return the media type of a file that begins with `head`.

    If the bytes are those of an image or an HTML page, the declared type (from
    Content-Type) is ignored. If they begin like zip, XML or text, as files of many
    types do, the declared type is used, unless it is an image, audio, video or PDF
    type: such a file would begin differently.
    """
    found = sniff(head)
    if not declared or declared == found:
        return found
    if found == "text/html" and is_xml(declared):
        return declared  # XML that begins with a comment is not detected as XML
    if found not in _GENERAL:
        return found
    if found not in _UNSEEN and _is_binary(declared):
        return found
    return declared


def is_wanted(kind: str, types: Collection[str]) -> bool:
    """Return whether a media type matches one of `types`: "image/png", "image/*" or
    "image/"."""
    families = tuple(each.rstrip("*") for each in types if each.endswith(("/", "/*")))
    return kind in types or kind.startswith(families)


def _is_binary(declared: str) -> bool:
    if is_xml(declared):  # an XML type such as image/svg+xml
        return False
    return declared == "application/pdf" or declared.startswith(
        ("image/", "audio/", "video/", "font/")
    )
