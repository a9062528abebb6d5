"""The type of a file by its first bytes, where they say more than its server. Pure."""

from __future__ import annotations

from collections.abc import Collection

from crawler.web.media_type import is_xml, sniff

#: Sniffed types that many types of files begin like: the server may know better.
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
#: Sniffing does not know every picture and sound.
_UNSEEN = frozenset({"application/octet-stream", "application/ogg"})


def type_of(head: bytes, declared: str) -> str:
    """The media type of a file that begins with `head`.

    A picture or a page is known by its bytes, whatever Content-Type says; a type that
    many others begin like (zip, XML, text) gives way to the declared one, unless that
    is a picture, sound, film or PDF, which would not begin so.
    """
    found = sniff(head)
    if not declared or declared == found:
        return found
    if found == "text/html" and is_xml(declared):
        return declared  # it begins with a comment
    if found not in _GENERAL:
        return found
    if found not in _UNSEEN and _is_binary(declared):
        return found
    return declared


def is_wanted(kind: str, types: Collection[str]) -> bool:
    """Whether a media type is one of `types`: "image/png", "image/*" or "image/"."""
    families = tuple(each.rstrip("*") for each in types if each.endswith(("/", "/*")))
    return kind in types or kind.startswith(families)


def _is_binary(declared: str) -> bool:
    if is_xml(declared):  # such as image/svg+xml
        return False
    return declared == "application/pdf" or declared.startswith(
        ("image/", "audio/", "video/", "font/")
    )
