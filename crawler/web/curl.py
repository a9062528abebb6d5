"""Reads and writes curl command lines, such as browsers write with "Copy as cURL". No
I/O.

Rule: an option that is unknown, or that a crawl cannot follow, raises a ValueError that
names the option.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from crawler.web.curl_options import (
    FLAGS,
    IGNORED,
    IGNORED_WITH_VALUE,
    SHORT,
    WITH_VALUE,
    CurlCommand,
)
from crawler.web.shell_words import quoted, words

FORM = "application/x-www-form-urlencoded"


def parse(command: str) -> CurlCommand:
    """Return the request of a curl command line, quoted for bash or for cmd.exe. Raises
    ValueError if the command line is not curl's, or has an unsupported option."""
    line = words(command.strip().removeprefix("$ "))
    program = line[0].replace("\\", "/").rpartition("/")[2].lower() if line else ""
    if program not in ("curl", "curl.exe"):
        raise ValueError(
            "the command does not begin with curl; paste a whole curl command"
        )
    made = CurlCommand()
    arguments = iter(line[1:])
    for word in arguments:
        if word.startswith("--") and word != "--":
            _long(made, word, arguments)
        elif word.startswith("-") and word not in ("-", "--"):
            _short(made, word, arguments)
        elif word != "--":
            WITH_VALUE["--url"](made, word)
    if not made.url:
        raise ValueError("the command names no URL; add the URL")
    return _finished(made)


def _long(made: CurlCommand, word: str, arguments: Iterator[str]) -> None:
    if word in IGNORED:
        return
    if word in IGNORED_WITH_VALUE:
        _next(word, arguments)
    elif word in FLAGS:
        FLAGS[word](made)
    elif word in WITH_VALUE:
        _take(made, word, _next(word, arguments))
    else:
        raise ValueError(f"the curl option {word} is not supported; remove it")


def _short(made: CurlCommand, word: str, arguments: Iterator[str]) -> None:
    """Parse a word of short options such as `-sXPOST`; only the last option may have a
    value."""
    rest = word[1:]
    while rest:
        letter, rest = rest[0], rest[1:]
        name = SHORT.get(letter)
        if name is None:
            raise ValueError(f"the curl option -{letter} is not supported; remove it")
        if name in IGNORED:
            continue
        if name in FLAGS:
            FLAGS[name](made)
            continue
        value = rest or _next(f"-{letter}", arguments)
        if name in WITH_VALUE:
            _take(made, name, value)
        return


def _next(option: str, arguments: Iterator[str]) -> str:
    value = next(arguments, None)
    if value is None:
        raise ValueError(f"the curl option {option} has no value; add a value")
    return value


def _take(made: CurlCommand, name: str, value: str) -> None:
    try:
        WITH_VALUE[name](made, value)
    except ValueError as exc:
        raise ValueError(
            f"the curl option {name} has the unusable value {value[:40]!r}: {exc}"
        ) from exc


def _finished(made: CurlCommand) -> CurlCommand:
    """Return the request with the headers and values that curl adds by itself."""
    if made.form and made.data:
        raise ValueError(
            "the curl options -d and -F cannot be used together; remove one of them"
        )
    if made.in_query and made.data:
        query = b"&".join(made.data).decode("utf-8", "surrogateescape")
        made.url += ("&" if "?" in made.url else "?") + query
    _add_types(made)
    if not made.method:
        has_body = made.body is not None or made.form
        made.method = "HEAD" if made.is_head else "POST" if has_body else "GET"
    if made.user is not None:
        made.url = _with_user(made.url, made.user)
    if made.proxy and made.proxy_user:
        made.proxy = _with_user(made.proxy, made.proxy_user)
    return made


def _add_types(made: CurlCommand) -> None:
    types = {"Content-Type": FORM} if made.body is not None else {}
    if made.is_json:
        types = dict.fromkeys(("Content-Type", "Accept"), "application/json")
    for name, value in types.items():
        if not made.has_header(name.lower()):
            made.headers.append((name, value))


def _with_user(url: str, user: str) -> str:
    name, _, password = user.partition(":")
    given = ":".join(
        quote(part.encode("utf-8", "surrogateescape"), safe="")
        for part in (name, password)
    )
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{given}@{authority.rpartition('@')[2]}{slash}{path}"


def write(command: CurlCommand) -> str:
    """Return the command line of a request, quoted for bash."""
    body = command.body
    usual = "GET" if body is None else "POST"
    line = ["curl", command.url]
    if command.method == "HEAD" and body is None:
        line.append("-I")
    elif command.method != usual:
        line += ["-X", command.method]
    for name, value in command.headers:
        line += ["-H", f"{name}: {value}" if value else f"{name};"]
    for option, text in _options(command, body):
        line += [option, text]
    return " ".join(map(quoted, line))


def _options(command: CurlCommand, body: bytes | None) -> Iterator[tuple[str, str]]:
    if command.cookies:
        yield "-b", "; ".join(f"{name}={value}" for name, value in command.cookies)
    if command.user is not None:
        yield "-u", command.user
    if body is not None:
        if not command.has_header("content-type"):
            yield "-H", "Content-Type:"
        yield "--data-raw", body.decode("utf-8", "surrogateescape")
    if command.proxy:
        yield "-x", command.proxy
    if command.timeout is not None:
        yield "-m", repr(command.timeout)
