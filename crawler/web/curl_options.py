"""Applies curl's options to a request. The only I/O is reading the files that options
name.

Rule: an option that a crawl cannot follow raises ValueError. Options that do not change
the request (`-s`, `-o`, `--http2`) are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote_plus


class FormField(NamedTuple):
    """A field of a multipart form: a text, or the path of a file."""

    name: str
    value: str | Path
    file_name: str = ""
    content_type: str = ""


@dataclass(slots=True)
class CurlCommand:
    """The request that a curl command line makes. This class has over 12 attributes,
    because each is an option of curl."""

    url: str = ""
    method: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    cookies: list[tuple[str, str]] = field(default_factory=list)
    form: list[FormField] = field(default_factory=list)
    proxy: str = ""
    proxy_user: str = ""
    user: str | None = None
    timeout: float | None = None
    #: The values of `-d` and similar options.
    data: list[bytes] = field(default_factory=list)
    #: Whether `--json` was among the options.
    is_json: bool = False
    in_query: bool = False
    is_head: bool = False
    is_insecure: bool = False
    removed: set[str] = field(default_factory=set)

    @property
    def body(self) -> bytes | None:
        """Return the request's body; None if no option gives data."""
        if not self.data or self.in_query:
            return None
        return (b"" if self.is_json else b"&").join(self.data)

    def has_header(self, name: str) -> bool:
        """Return whether the options set or remove `name`, a lower-case header."""
        return name in self.removed or any(
            each.lower() == name for each, _ in self.headers
        )


def _url(made: CurlCommand, value: str) -> None:
    if made.url:
        raise ValueError(
            f"the command names two URLs: {made.url[:40]!r} and {value[:40]!r}; "
            "remove one of them"
        )
    value = value.strip()
    made.url = value if "://" in value else f"http://{value}"


def _header(made: CurlCommand, value: str) -> None:
    if value.startswith("@"):
        raise ValueError(
            "headers are not read from a file; write each header as -H 'name: value'"
        )
    name, colon, text = value.partition(":")
    if not name and colon:
        return  # ":authority:" of HTTP/2, which older browsers copied as a header
    name = name.strip()
    if not colon:
        if not name.endswith(";"):
            raise ValueError("the header has no colon; write it as -H 'name: value'")
        made.headers.append((name.rstrip("; "), ""))
    elif not text.strip():
        made.removed.add(name.lower())
    elif name.lower() != "content-length":
        made.headers.append((name, text.strip()))


def _cookie(made: CurlCommand, value: str) -> None:
    if "=" not in value:
        raise ValueError(
            "cookies are not read from a file; write them as -b 'name=value'"
        )
    for pair in value.split(";"):
        name, sign, text = pair.strip(" \t").partition("=")
        if sign:
            made.cookies.append((name, text))


def _raw(made: CurlCommand, value: str) -> None:
    made.data.append(_encoded(value))


def _data(made: CurlCommand, value: str) -> None:
    if value.startswith("@"):
        content = _content(value[1:])
        made.data.append(content.translate(None, b"\r\n\0"))
    else:
        _raw(made, value)


def _binary(made: CurlCommand, value: str) -> None:
    made.data.append(_content(value[1:]) if value[:1] == "@" else _encoded(value))


def _urlencode(made: CurlCommand, value: str) -> None:
    sign = next((char for char in value if char in "=@"), "")
    name, _, text = value.partition(sign) if sign else ("", "", value)
    content = _content(text) if sign == "@" else _encoded(text)
    start = f"{name}=" if name else ""
    made.data.append(_encoded(start + quote_plus(content, safe="")))


def _json(made: CurlCommand, value: str) -> None:
    made.is_json = True
    _binary(made, value)


def _form(made: CurlCommand, value: str) -> None:
    name, sign, text = value.partition("=")
    if not sign:
        raise ValueError("the form field has no '='; write it as -F 'name=value'")
    text, *parameters = text.split(";")
    given = dict(each.strip().partition("=")[::2] for each in parameters)
    unknown = given.keys() - {"type", "filename"}
    if unknown and text[:1] not in ("@", "<"):
        # A semicolon in a text value does not begin a parameter.
        text, given = value.partition("=")[2], {}
    elif unknown:
        raise ValueError(
            f"the form field has the parameter {min(unknown)!r}, which is not "
            "supported; in the option -F, use only type and filename"
        )
    file_name, kind = given.get("filename", ""), given.get("type", "")
    file_name = file_name.strip('"')
    text = text.removeprefix('"').removesuffix('"') if text[:1] == '"' else text
    if text.startswith("@"):
        path = Path(text[1:].strip('"'))
        made.form.append(FormField(name, path, file_name or path.name, kind))
    elif text.startswith("<"):
        content = _content(text[1:]).decode("utf-8", "surrogateescape")
        made.form.append(FormField(name, content, file_name, kind))
    else:
        made.form.append(FormField(name, text, file_name, kind))


def _form_string(made: CurlCommand, value: str) -> None:
    name, sign, text = value.partition("=")
    if not sign:
        raise ValueError(
            "the form field has no '='; write it as --form-string 'name=value'"
        )
    made.form.append(FormField(name, text))


def _seconds(made: CurlCommand, value: str) -> None:
    made.timeout = float(value)
    if not 0 < made.timeout < 1e6:
        raise ValueError(
            "the timeout (--max-time) must be above 0 and below 1,000,000 seconds"
        )


def _content(path: str) -> bytes:
    if path == "-":
        raise ValueError(
            "a curl command's standard input is not read; name a file instead of '-'"
        )
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as exc:
        raise ValueError(f"the file {path!r} cannot be read: {exc}") from exc


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _setter(name: str) -> Callable[[CurlCommand, str], None]:
    return lambda made, value: setattr(made, name, value)


def _flag(name: str) -> Callable[[CurlCommand], None]:
    return lambda made: setattr(made, name, True)


def _named_header(name: str, start: str = "") -> Callable[[CurlCommand, str], None]:
    return lambda made, value: made.headers.append((name, start + value))


#: Options without a value by their long name, each with the function that applies it.
FLAGS = {
    "--get": _flag("in_query"),
    "--head": _flag("is_head"),
    "--insecure": _flag("is_insecure"),
}
#: Options with a value by their long name, each with the function that applies it.
WITH_VALUE: dict[str, Callable[[CurlCommand, str], None]] = {
    "--request": _setter("method"),
    "--url": _url,
    "--header": _header,
    "--cookie": _cookie,
    "--user": _setter("user"),
    "--oauth2-bearer": _named_header("Authorization", "Bearer "),
    "--user-agent": _named_header("User-Agent"),
    "--referer": _named_header("Referer"),
    "--range": _named_header("Range", "bytes="),
    "--proxy": _setter("proxy"),
    "--proxy-user": _setter("proxy_user"),
    "--max-time": _seconds,
    "--data": _data,
    "--data-ascii": _data,
    "--data-raw": _raw,
    "--data-binary": _binary,
    "--data-urlencode": _urlencode,
    "--json": _json,
    "--form": _form,
    "--form-string": _form_string,
}
#: Options that are ignored, because they do not change the request, or because a crawl
#: always does what they say.
IGNORED = frozenset(
    f"--{name}"
    for name in [
        "basic",
        "compressed",
        "fail",
        "fail-early",
        "fail-with-body",
        "globoff",
        "http1.0",
        "http1.1",
        "http2",
        "http2-prior-knowledge",
        "http3",
        "include",
        "ipv4",
        "ipv6",
        "location",
        "location-trusted",
        "no-buffer",
        "no-keepalive",
        "no-progress-meter",
        "path-as-is",
        "progress-bar",
        "remote-header-name",
        "remote-name",
        "show-error",
        "silent",
        "show-headers",
        "tcp-nodelay",
        "tlsv1.2",
        "tlsv1.3",
        "verbose",
    ]
)
IGNORED_WITH_VALUE = frozenset(
    f"--{name}"
    for name in [
        "connect-timeout",
        "cookie-jar",
        "dump-header",
        "keepalive-time",
        "limit-rate",
        "max-redirs",
        "output",
        "output-dir",
        "retry",
        "retry-delay",
        "retry-max-time",
        "speed-limit",
        "speed-time",
        "stderr",
        "trace",
        "trace-ascii",
        "write-out",
    ]
)
#: The long name of each short option: "--data" for "d".
SHORT = {
    "X": "--request", "H": "--header", "b": "--cookie", "u": "--user",
    "A": "--user-agent", "e": "--referer", "r": "--range", "x": "--proxy",
    "U": "--proxy-user", "m": "--max-time", "d": "--data", "F": "--form",
    "G": "--get", "I": "--head", "k": "--insecure", "L": "--location",
    "s": "--silent", "S": "--show-error", "v": "--verbose", "i": "--include",
    "f": "--fail", "g": "--globoff", "#": "--progress-bar", "N": "--no-buffer",
    "O": "--remote-name", "J": "--remote-header-name", "4": "--ipv4", "6": "--ipv6",
    "0": "--http1.0", "1": "--tlsv1.2", "o": "--output", "c": "--cookie-jar",
    "D": "--dump-header", "w": "--write-out", "Y": "--speed-limit",
    "y": "--speed-time",
}  # fmt: skip
