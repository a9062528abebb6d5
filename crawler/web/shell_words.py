"""Splits a command line into words, as bash or cmd.exe does. No I/O.

Rule: only quoting is handled. Variables, globs and substitutions stay as written;
anything that would run a second command raises ValueError. Bytes that are not UTF-8
become surrogates, as in `os.fsdecode`.
"""

from __future__ import annotations

import re

# In cmd.exe a caret escapes the quote or the line break that follows.
_CMD = re.compile(r"\^\"|\^\s*\r?\n")
_FIRST_QUOTE = re.compile(r"[\"']")
_BASH = re.compile(
    r"(?P<gap>[ \t\r\n]++)|(?P<joint>\\\r?\n)"
    r"|\$'(?P<ansi>(?:[^'\\]++|\\.)*+)'"
    r"|'(?P<single>[^']*+)'"
    r"|\$?\"(?P<double>(?:[^\"\\]++|\\.)*+)\""
    r"|\\(?P<escaped>.)"
    r"|(?P<plain>[^\s'\"\\$]++|\$(?![\"']))",
    re.S,
)
_OPERATOR = re.compile(r"[|;<>&]|\d?>")
_IN_DOUBLE = re.compile(r"\\(?:\r?\n|([$`\"\\]))")
_ANSI = re.compile(
    r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})"
    r"|c(.)|(.))",
    re.S,
)
_NAMED = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r",
    "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip
_CARET = re.compile(r"\^(?:\r?\n)?(\r?\n|.)?", re.S)
# An argument of a Windows program: backslashes are special only before a quote.
_WINDOWS = re.compile(r"(\\*)(\"\"|\")|([ \t\r\n]+)|(\\+|[^\\\" \t\r\n]+)", re.S)
_SAFE = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
_CONTROL = re.compile("[\x00-\x1f\x7f\udc80-\udcff]")


def words(line: str) -> list[str]:
    """Return the words of a command line that is quoted for bash or for cmd.exe."""
    first = _FIRST_QUOTE.search(line)
    is_bash = first is not None and first[0] == "'"  # cmd.exe has no single quotes
    return _bash_words(line) if is_bash or not _CMD.search(line) else _cmd_words(line)


def quoted(word: str) -> str:
    """Return a word quoted for bash."""
    if _SAFE.fullmatch(word):
        return word
    if _CONTROL.search(word) is None:
        return "'" + word.replace("'", "'\\''") + "'"
    plain = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{_CONTROL.sub(_as_escape, plain)}'"


def _bash_words(line: str) -> list[str]:
    found: list[str] = []
    word: str | None = None
    at = 0
    while at < len(line):
        token = _BASH.match(line, at)
        if token is None:
            raise ValueError(
                f"a quote in the command is not closed, at {line[at : at + 20]!r}; "
                "add the missing quote"
            )
        at = token.end()
        if token["gap"] is not None:
            if word is not None:
                found.append(word)
            word = None
        if token["gap"] is not None or token["joint"] is not None:
            continue
        if word is None and token["plain"] and _OPERATOR.match(token["plain"]):
            raise ValueError(
                f"{token['plain'][:20]!r} is outside of quotes, so it would end the "
                "curl command; give only the curl command, or quote this text"
            )
        word = (word or "") + _bash_text(token)
    return found if word is None else [*found, word]


def _bash_text(token: re.Match[str]) -> str:
    if token["ansi"] is not None:
        return _ansi(token["ansi"])
    if token["double"] is not None:
        return _IN_DOUBLE.sub(lambda found: found[1] or "", token["double"])
    return token["single"] or token["escaped"] or token["plain"] or ""


def _ansi(text: str) -> str:
    """Return the text of `$'...'`, whose escapes may be bytes of UTF-8."""
    if "\\" not in text:
        return text
    data = bytearray()
    at = 0
    for escape in _ANSI.finditer(text):
        data += text[at : escape.start()].encode("utf-8", "surrogateescape")
        data += _ansi_bytes(escape)
        at = escape.end()
    data += text[at:].encode("utf-8", "surrogateescape")
    return data.decode("utf-8", "surrogateescape")


def _ansi_bytes(escape: re.Match[str]) -> bytes:
    code, short, long, octal, control, other = escape.groups()
    if code or octal:
        return bytes([int(code or octal, 16 if code else 8) & 0xFF])
    if short or long:
        return _character(int(short or long, 16))
    if control:
        return bytes([ord(control) & 0x1F])
    return _NAMED.get(other, escape[0]).encode("utf-8", "surrogateescape")


def _character(number: int) -> bytes:
    if number >= 0x110000 or 0xD800 <= number < 0xE000:
        return "\ufffd".encode()
    return chr(number).encode()


def _cmd_words(line: str) -> list[str]:
    """Split a cmd.exe line into words.

    cmd.exe removes carets outside of quotes. Then the program that it starts splits the
    line into arguments (Microsoft C: "Parsing C command-line arguments").
    """
    found: list[str] = []
    word: str | None = None
    is_quoted = False
    for token in _WINDOWS.finditer(_without_carets(line)):
        slashes, quote, gap, plain = token.groups()
        if gap is not None and not is_quoted:
            if word is not None:
                found.append(word)
            word = None
        elif quote is None:
            word = (word or "") + (gap or plain)
        else:
            text, is_quoted = _at_quote(len(slashes), quote, is_quoted=is_quoted)
            word = (word or "") + text
    if is_quoted:
        raise ValueError("a quote in the command is not closed; add the missing quote")
    return found if word is None else [*found, word]


def _at_quote(slashes: int, quote: str, *, is_quoted: bool) -> tuple[str, bool]:
    """Return the text for backslashes that one or two quotes follow, and whether quoted
    text continues after them.

    Before a quote every two backslashes stand for one; an odd backslash escapes the
    quote. Two quotes inside quoted text stand for one.
    """
    text = "\\" * (slashes // 2)
    if slashes % 2:
        return text + '"', is_quoted ^ (quote == '""')
    if quote == '""':
        return (text + '"' if is_quoted else text), is_quoted
    return text, not is_quoted


def _without_carets(line: str) -> str:
    pieces: list[str] = []
    is_quoted = False
    at = 0
    for token in re.finditer(r"\"|\^", line):
        if token.start() < at:
            continue
        pieces.append(line[at : token.start()])
        at = token.end()
        if token[0] == '"':
            is_quoted = not is_quoted
            pieces.append('"')
        elif is_quoted:
            pieces.append("^")
        elif escaped := _CARET.match(line, token.start()):
            pieces.append((escaped[1] or "").replace("\r\n", "\n"))
            at = escaped.end()
    return "".join([*pieces, line[at:]])


def _as_escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code) or f"\\x{code & 0xFF:02x}"
