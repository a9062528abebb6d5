"""User names and passwords inside URLs: taken out, and never shown.

No I/O, no clock.
"""

import re
from base64 import b64encode
from urllib.parse import unquote_to_bytes

from ada_url import URL

__all__ = ["basic_of", "redacted"]

#: From the slashes to the last "@": a password that is not escaped may hold anything.
_USERINFO = re.compile(r"(?<=//)\S*@")
_HIDDEN = "…@"


def basic_of(url: str) -> str:
    """The Authorization header (RFC 7617) that a URL asks for; empty for none."""
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


def redacted(text: str) -> str:
    """The text without what may be a user name and a password."""
    if "//" in text:
        return _USERINFO.sub(_HIDDEN, text)
    return text
