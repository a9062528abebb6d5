"""Reads the credentials inside a URL. No I/O, no clock."""

from base64 import b64encode
from urllib.parse import unquote_to_bytes

from ada_url import URL

__all__ = ["basic_of"]


def basic_of(url: str) -> str:
    """Return the Authorization header (RFC 7617) for a URL's user and password; "" if
    the URL has none."""
    if "@" not in url:
        return ""
    try:
        parsed = URL(url)
    except ValueError:
        return ""
    if not (parsed.username or parsed.password):
        return ""
    user, password = map(unquote_to_bytes, (parsed.username, parsed.password))
    return f"Basic {b64encode(user + b':' + password).decode()}"
