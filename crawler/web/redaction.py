"""Removes user names, passwords and other secrets from what a person is shown.

No I/O, no clock. Every command imports this module, so the module imports nothing
large.
"""

import json
import re
from typing import Any

from crawler.web.lazy_regex import lazy_regex

__all__ = ["is_secret", "redacted", "without_secret", "without_secrets"]

#: From the slashes to the last "@": an unescaped password may contain any character.
_USERINFO = lazy_regex(r"(?<=//)\S*@")
_HIDDEN = "…@"
#: Words in a name whose value is a secret.
_SECRET = lazy_regex(
    r"(api|access|auth|client|private|db|user)?"
    r"(pass(word|wd|phrase|code)?|pwd|secret|token|key|auth|authorization|credentials?"
    r"|cookies?|bearer|signature|jwt|pin|otp)",
    re.I,
)


def redacted(text: str) -> str:
    """Return the text without parts that may be a user name and a password."""
    if "//" in text:
        return _USERINFO.sub(_HIDDEN, text)
    return text


def is_secret(name: str) -> bool:
    """Return whether the name, such as `api_key`, means that its value is a secret."""
    last = name.rpartition(".")[2]
    words = re.findall(r"[a-z]+|[A-Z]+[a-z]*", last)
    return any(_SECRET.fullmatch(word) for word in words)


def without_secret(name: str, value: str) -> str:
    """Return `value`, or a mask if `name` means that the value is secret. Passwords in
    URLs are removed."""
    return "…" if value and is_secret(name) else redacted(value)


def without_secrets(arguments: str) -> str:
    """Return a JSON text of arguments, with secret values masked at any depth."""
    shown = _masked(json.loads(arguments))
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


def _masked(value: Any) -> Any:
    # Each text is masked by itself, because slashes in one value and "@" in another do
    # not belong to one URL.
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, list):
        return [_masked(each) for each in value]
    if isinstance(value, dict):
        return {
            redacted(name): "…" if is_secret(name) else _masked(each)
            for name, each in value.items()
        }
    return value
