"""Finds a file's media type from its first bytes and its declared type. Pure."""

from __future__ import annotations

from collections.abc import Collection

from crawler.web.media_type import is_xml, sniff

#: Detected types that stand for many types with the same first bytes. For them the
#: declared type may be more exact.
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
#: Results of the detection for files that it does not know; some image and audio types
#: are among them.
_UNSEEN = frozenset({"application/octet-stream", "application/ogg"})


def type_of(head: bytes, declared: str) -> str:
    """Return the media type of a file that begins with `head`.

    The bytes of an image or an HTML page decide, whatever Content-Type says. Many types
    begin like zip, XML or text; for these the declared type is used. But the declared
    type is ignored if it is an image, audio, video or PDF type, because such a file
    would begin differently.
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
