"""Hides user names, passwords and other secrets in what a person is shown.

No I/O, no clock; imported by every command, so that it imports nothing of weight.
"""

import json
import re

__all__ = ["is_secret", "redacted", "without_secret", "without_secrets"]

#: From the slashes to the last "@": a password that is not escaped may hold anything.
_USERINFO = re.compile(r"(?<=//)\S*@")
_HIDDEN = "…@"
#: Words of a name whose value is a secret.
_SECRET = re.compile(
    r"(api|access|auth|client|private|db|user)?"
    r"(pass(word|wd|phrase|code)?|pwd|secret|token|key|auth|authorization|credentials?"
    r"|cookies?|bearer|signature|jwt|pin|otp)",
    re.I,
)


def redacted(text: str) -> str:
    """The text without what may be a user name and a password."""
    if "//" in text:
        return _USERINFO.sub(_HIDDEN, text)
    return text


def is_secret(name: str) -> bool:
    """Whether the name says that its value is a secret, as `api_key` does."""
    last = name.rpartition(".")[2]
    words = re.findall(r"[a-z]+|[A-Z]+[a-z]*", last)
    return any(_SECRET.fullmatch(word) for word in words)


def without_secret(name: str, value: str) -> str:
    """`value`, unless `name` says that it is a secret; URLs lose their passwords."""
    return "…" if value and is_secret(name) else redacted(value)


def without_secrets(arguments: str) -> str:
    """A JSON object of arguments, without the values that are secrets."""
    values = json.loads(arguments)
    if not isinstance(values, dict):
        return redacted(arguments)
    shown = {name: "…" if is_secret(name) else value for name, value in values.items()}
    return redacted(json.dumps(shown, ensure_ascii=False, separators=(",", ":")))
