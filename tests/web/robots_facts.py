"""What Google's own robots.txt parser answers: a file, an agent, paths and verdicts.

Facts of the public test suite of google/robotstxt, and of Google's documentation, in
our own form. `+` before a path: it may be fetched; `-`: it may not.
"""

from __future__ import annotations

from collections.abc import Iterator

LONG = "/x/" + "a" * (2083 * 8 - len("disallow: ") - len("/x/") + 1)
OTHER = "/x/" + "b" * (2083 * 8 - len("allow: ") - len("/x/") + 1)
SAME = "/x/" + "a" * (2083 * 8 - len("allow: ") - len("/x/") + 1)

GROUPS = (
    "allow: /foo/bar/\n\nuser-agent: FooBot\ndisallow: /\nallow: /x/\n"
    "user-agent: BarBot\ndisallow: /\nallow: /y/\n\n\nallow: /w/\n"
    "user-agent: BazBot\n\nuser-agent: FooBot\nallow: /z/\ndisallow: /\n"
)
SPACED = "User-Agent: *\nDisallow: /\nUser-Agent: Foo Bar\nAllow: /x/\nDisallow: /\n"
ONLY_OTHERS = (
    "user-agent: FooBot\nallow: /\nuser-agent: BarBot\ndisallow: /\n"
    "user-agent: BazBot\ndisallow: /\n"
)


def foobot(*rules: str) -> str:
    return "\n".join(("User-agent: FooBot", *rules, ""))


def but(allowed: str) -> str:
    return foobot("disallow: /", f"allow: {allowed}")


#: Name, file, agent, verdicts.
CASES: list[tuple[str, str, str, str]] = [
    ("an empty file", "", "FooBot", "+/ +/x"),
    ("an empty agent", foobot("disallow: /"), "", "+/"),
    ("a line", foobot("disallow: /"), "FooBot", "-/x/y"),
    ("unknown fields", "foo: FooBot\nbar: /\n", "FooBot", "+/x/y"),
    ("colons forgotten", "user-agent FooBot\ndisallow /\n", "FooBot", "-/x/y"),
    ("merged groups", GROUPS, "FooBot", "+/x/b +/z/d -/y/c -/foo/bar/"),
    ("a group behind blank lines", GROUPS, "BarBot", "+/y/c +/w/a -/z/d -/foo/bar/"),
    ("agents that share rules", GROUPS, "BazBot", "+/z/d -/foo/bar/"),
    *(
        (f"field names in {name} case", text, "FooBot", "+/x/y -/a/b")
        for name, text in (
            ("upper", "USER-AGENT: FooBot\nALLOW: /x/\nDISALLOW: /\n"),
            ("lower", "user-agent: FooBot\nallow: /x/\ndisallow: /\n"),
            ("camel", "uSeR-aGeNt: FooBot\nAlLoW: /x/\ndIsAlLoW: /\n"),
        )
    ),
    *(
        (
            f"agent {name} and {agent}",
            f"User-Agent: {name}\nAllow: /x/\nDisallow: /\n",
            agent,
            "+/x/y -/a/b",
        )
        for name in ("FOO BAR", "foo bar", "FoO bAr")
        for agent in ("Foo", "foo")
    ),
    ("an agent's name ends at a space", SPACED, "Foo", "+/x/y"),
    ("a name with a space is nobody's", SPACED, "Foo Bar", "-/x/y"),
    (
        "the own group before the global",
        "user-agent: *\nallow: /\nuser-agent: FooBot\ndisallow: /\n",
        "FooBot",
        "-/x/y",
    ),
    (
        "the global group for others",
        "user-agent: *\nallow: /\nuser-agent: FooBot\ndisallow: /\n",
        "BarBot",
        "+/x/y",
    ),
    ("no group at all", ONLY_OTHERS, "QuxBot", "+/x/y"),
    ("lower case rule", foobot("disallow: /x/"), "FooBot", "-/x/y"),
    ("upper case rule", foobot("disallow: /X/"), "FooBot", "+/x/y"),
    (
        "longest disallow",
        foobot("disallow: /x/page.html", "allow: /x/"),
        "FooBot",
        "-/x/page.html",
    ),
    (
        "longest allow",
        foobot("allow: /x/page.html", "disallow: /x/"),
        "FooBot",
        "+/x/page.html -/x/",
    ),
    ("empty rules", foobot("disallow: ", "allow: "), "FooBot", "+/x/page.html"),
    ("a tie", foobot("disallow: /", "allow: /"), "FooBot", "+/x/page.html"),
    ("a slash longer", foobot("disallow: /x", "allow: /x/"), "FooBot", "-/x +/x/"),
    (
        "a long tie",
        foobot("disallow: /x/page.html", "allow: /x/page.html"),
        "FooBot",
        "+/x/page.html",
    ),
    (
        "a longer pattern",
        foobot("allow: /page", "disallow: /*.html"),
        "FooBot",
        "-/page.html +/page",
    ),
    (
        "a shorter pattern",
        foobot("allow: /x/page.", "disallow: /*.html"),
        "FooBot",
        "+/x/page.html -/x/y.html",
    ),
    (
        "the own group replaces the global",
        "User-agent: *\nDisallow: /x/\nUser-agent: FooBot\nDisallow: /y/\n",
        "FooBot",
        "+/x/page -/y/page",
    ),
    (
        "a URL in a query",
        but("/foo/bar?qux=taz&baz=http://foo.bar?tar&par"),
        "FooBot",
        "+/foo/bar?qux=taz&baz=http://foo.bar?tar&par",
    ),
    ("raw characters", but("/foo/bar/ツ"), "FooBot", "+/foo/bar/%E3%83%84"),
    ("escaped characters", but("/foo/bar/%E3%83%84"), "FooBot", "+/foo/bar/%E3%83%84"),
    ("escaped letters", but("/foo/bar/%62%61%7A"), "FooBot", "+/foo/bar/%62%61%7A"),
    (
        "a star",
        foobot("Disallow: /foo/bar/quz", "Allow: /foo/*/qux"),
        "FooBot",
        "-/foo/bar/quz +/foo/quz +/foo//quz +/foo/bax/quz",
    ),
    (
        "a dollar",
        foobot("Disallow: /foo/bar$", "Allow: /foo/bar/qux"),
        "FooBot",
        "-/foo/bar +/foo/bar/qux +/foo/bar/ +/foo/bar/baz",
    ),
    (
        "comments",
        foobot("# Disallow: /", "Disallow: /foo/quz#qux", "Allow: /"),
        "FooBot",
        "+/foo/bar -/foo/quz",
    ),
    (
        "index.html is its folder",
        "User-Agent: *\nAllow: /allowed-slash/index.html\nDisallow: /\n",
        "foobot",
        (
            "+/allowed-slash/ -/allowed-slash/index.htm +/allowed-slash/index.html "
            "-/anyother-url"
        ),
    ),
    (
        "a line too long",
        foobot(f"disallow: {LONG}/qux"),
        "FooBot",
        f"+/fux -{LONG}/fux",
    ),
    (
        "two lines too long",
        foobot("disallow: /", f"allow: {SAME}/qux", f"allow: {OTHER}/qux"),
        "FooBot",
        f"-/ +{SAME}/qux +{OTHER}/fux",
    ),
    *(
        (
            f"{rule} is a prefix",
            but(rule),
            "FooBot",
            (
                "-/bar +/fish +/fish.html +/fish/salmon.html +/fishheads "
                "+/fishheads/yummy.html +/fish.html?id=anything -/Fish.asp -/Fish.bar "
                "-/catfish -/?id=fish"
            ),
        )
        for rule in ("/fish", "/fish*")
    ),
    (
        "a folder",
        but("/fish/"),
        "FooBot",
        (
            "-/bar +/fish/ +/fish/salmon +/fish/?salmon +/fish/salmon.html "
            "+/fish/?id=anything -/fish -/fish.html -/Fish/Salmon.html"
        ),
    ),
    (
        "a suffix anywhere",
        but("/*.php"),
        "FooBot",
        (
            "-/bar +/filename.php +/folder/filename.php "
            "+/folder/filename.php?parameters "
            "+//folder/any.php.file.html +/filename.php/ "
            "+/index?f=filename.php/ -/php/ "
            "-/index?php -/windows.PHP"
        ),
    ),
    (
        "a suffix at the end",
        but("/*.php$"),
        "FooBot",
        (
            "-/bar +/filename.php +/folder/filename.php -/filename.php?parameters "
            "-/filename.php/ -/filename.php5 -/php/ -/filename?php -/aaaphpaaa "
            "-//windows.PHP"
        ),
    ),
    (
        "a prefix and a suffix",
        but("/fish*.php"),
        "FooBot",
        "-/bar +/fish.php +/fishheads/catfish.php?parameters -/Fish.PHP",
    ),
    ("precedence", foobot("allow: /p", "disallow: /"), "FooBot", "+/page"),
    (
        "precedence of a tie",
        foobot("allow: /folder", "disallow: /folder"),
        "FooBot",
        "+/folder/page",
    ),
    (
        "precedence of length",
        foobot("allow: /page", "disallow: /*.htm"),
        "FooBot",
        "-/page.htm",
    ),
    (
        "precedence of the root",
        foobot("allow: /$", "disallow: /"),
        "FooBot",
        "+/ -/page.html",
    ),
    *(
        (f"line ends {ends!r}", text, agent, verdict)
        for ends in ("\n", "\r\n", "\r")
        for text in (
            (
                f"User-Agent: foo{ends}Allow: /some/path{ends}User-Agent: bar{ends}"
                f"{ends}{ends}Disallow: /"
            ),
        )
        for agent, verdict in (("foo", "+/some/path +/else"), ("bar", "-/some/path"))
    ),
    (
        "mixed line ends",
        "User-Agent: foo\nAllow: /some/path\r\nUser-Agent: bar\n\r\n\nDisallow: /",
        "bar",
        "-/x",
    ),
]

#: Byte order marks: the file, and whether its two lines count for the agent `foo`.
MARKS: list[tuple[bytes, bool]] = [
    (b"\xef\xbb\xbfUser-Agent: foo\nDisallow: /AnyValue\n", True),
    (b"\xef\xbbUser-Agent: foo\nDisallow: /AnyValue\n", True),
    (b"\xefUser-Agent: foo\nDisallow: /AnyValue\n", True),
    (b"\xef\x11\xbfUser-Agent: foo\nDisallow: /AnyValue\n", False),
    (b"User-Agent: foo\n\xef\xbb\xbfDisallow: /AnyValue\n", False),
]


def verdicts() -> Iterator[tuple[str, bytes, str, str, bool]]:
    """Every single fact: name, file, agent, path, may it be fetched."""
    for name, text, agent, paths in CASES:
        for path in paths.split():
            yield name, text.encode(), agent, path[1:], path[0] == "+"
    for number, (body, counts) in enumerate(MARKS):
        yield f"mark {number}", body, "foo", "/AnyValue", not counts
