"""What servers set, and what browsers send back: facts of the http-state test suite.

`http://home.example.org:8888/cookie-parser` sets the lines; the next request goes to
the path or URL given, by default `/cookie-parser-result`. Where RFC 6265bis changed
what RFC 6265 said (a line without a name is a cookie now), the newer holds.
"""

from __future__ import annotations

DATE = "Fri, 07 Aug {} 08:04:19 GMT"
HERE = "/cookie-parser-result"
SUB = "http://subdomain.home.example.org:8888" + HERE
SIBLING = "http://sibling.example.org:8888" + HERE
BELOW_SIBLING = "http://sibling.home.example.org:8888" + HERE
FOO = HERE + "/foo"
CHINESE = "春节回家路·春运完全手册"
OWN = "foo=bar; domain=home.example.org"

#: Lines set, what is sent; both without a domain or a path of their own.
PLAIN: list[tuple[list[str], str]] = [
    (["foo=bar"], "foo=bar"),
    ([f"foo=bar; Expires={DATE.format(2019)}"], "foo=bar"),
    (
        [
            f"foo=bar; Expires={DATE.format(2007)}",
            f"foo2=bar2; Expires={DATE.format(2017)}",
        ],
        "foo2=bar2",
    ),
    (["foo"], "foo"),
    (["foo=bar; max-age=10000;"], "foo=bar"),
    (["foo=bar; max-age=0;"], ""),
    (["foo=bar; version=1;"], "foo=bar"),
    (["foo=bar; customvalue=1000;"], "foo=bar"),
    (["foo=bar; secure;"], ""),
    (['foo=bar; customvalue="1000 or more";'], "foo=bar"),
    (['foo=bar; customvalue="no trailing semicolon"'], "foo=bar"),
    (["foo=bar", "foo=qux"], "foo=qux"),
    (["foo1=bar", "foo2=qux"], "foo1=bar; foo2=qux"),
    (["z=y", "a=b"], "z=y; a=b"),
    (["z=y, a=b"], "z=y, a=b"),
    (["z=y; foo=bar, a=b"], "z=y"),
    (["foo=b;max-age=3600, c=d;path=/"], "foo=b"),
    (["a=b", "=", "c=d"], "a=b; c=d"),
    (["a=b", "=x", "c=d"], "a=b; x; c=d"),
    (["a=b", "x=", "c=d"], "a=b; x=; c=d"),
    (["foo", ""], "foo"),
    (["foo", "="], "foo"),
    (["foo", "; bar"], "foo"),
    (["foo", "   "], "foo"),
    (["foo", "bar"], "bar"),
    *(
        ([f"foo=bar; {attribute}"], "")
        for attribute in (
            "Secure",
            "seCURe",
            "Secure=",
            "Secure=aaaa",
            "Secure =aaaaa",
            "Secure= aaaaa",
            "Secure; qux",
            "Secure;qux",
            "Secure    ; qux",
            "               Secure",
            "      Secure     ;",
            "Path=/qux",
            "Path    =/qux",
            "Path=    /qux",
            "Path=/qux      ; taz",
            "Path=/; Path=/qux",
            f"Path={HERE}; Path=/qux",
            "qux; Secure",
            'qux="aaa;bbb"; Secure',
            "max-age=-1",
            "max-age=0",
            "max-age=-20",
            "expires=Thu, 10 Apr 1980 16:33:12 GMT",
            "Path=/cookie-PARSER-result",
            "path=; path=/dog",
            f"path={FOO}",
        )
    ),
    *(
        ([f"foo=bar; {attribute}"], "foo=bar")
        for attribute in (
            '"Secure"',
            "Secure qux",
            "Path",
            "Path=",
            "Path=/",
            "Path=/qux; Path=/",
            f"Path=/qux; Path={HERE}",
            "b,az=qux",
            "baz=q,ux",
            "Max-Age=50,399",
            f"Expires={DATE.format(2019)}, baz=qux",
            "max-age=60",
            "path= /",
            "path=/dog; path=",
        )
    ),
    ([f"foo={CHINESE}"], f"foo={CHINESE}"),
    ([f"春节={CHINESE}; 完全"], f"春节={CHINESE}"),
    ([f'foo="{CHINESE}"'], f'foo="{CHINESE}"'),
    (['aBc="zzz "   ;'], 'aBc="zzz "'),
    (['aBc="zz;pp" ; ;'], 'aBc="zz'),
    (['aBc="zz ;'], 'aBc="zz'),
    (['aBc="zzz "   "ppp"  ;'], 'aBc="zzz "   "ppp"'),
    (['aBc=A"B ;'], 'aBc=A"B'),
    (["BLAHHH; path=/;"], "BLAHHH"),
    (['"BLA\\"HHH"; path=/;'], '"BLA\\"HHH"'),
    (['a="B'], 'a="B'),
    (["=ABC"], "ABC"),
    (["ABC=;  path = /"], "ABC="),
    (["  A  = BC  ;foo;;;   bar"], "A=BC"),
    (["  A=== BC  ;foo;;;   bar"], "A=== BC"),
    (
        ['foo="zohNum"  ; expires=Sun, 18-Apr-2027 21:06:29 GMT ; path=/  ;  '],
        'foo="zohNum"',
    ),
    (["    "], ""),
    ([""], ""),
    (["foo=bar, baz=qux"], "foo=bar, baz=qux"),
    (['foo="bar, baz=qux"'], 'foo="bar, baz=qux"'),
    (["AAA=BB\0ZYX"], ""),
    (["AAA=BB\rZYX"], ""),
    (["a=" + "a" * 4095], "a=" + "a" * 4095),
    (["a=" + "a" * 4096], ""),
    (["foo=bar; max-age=60", "foo1=bar; max-age=60"], "foo=bar; foo1=bar"),
    (["foo=bar", "foo1=bar", "foo=other; max-age=0"], "foo1=bar"),
    (["foo=bar", "foo=other; max-age=0", "foo2=more; max-age=0"], ""),
    (["test=parser; domain=.parser.test; ;; ;=; ,,, ===,abc,=; a! max-age=20;=;;"], ""),
    (['test="fubar! = foo;bar\\";" parser; max-age=6'], 'test="fubar! = foo'),
    (["six", "seven", " =eight", "test=six"], "eight; test=six"),
    *(
        ([f"{name}=bar"], f"{name}=bar")
        for name in ["a", "1", "$", "!a", "@a", "#a", "$a", "%a", "^a"]
    ),
    *(
        ([f"{name}=bar"], f"{name}=bar")
        for name in ["&a", "*a", "(a", ")a", "-a", "_a", "+", '"a']
    ),
    (["=a=bar"], "a=bar"),
    (["a =bar"], "a=bar"),
    (['"a=b"=bar', '"a=qux'], '"a=qux'),
    (["   foo=bar"], "foo=bar"),
    (["foo;bar=baz"], "foo"),
    (["$Version=1; foo=bar"], "$Version=1"),
    (["===a=bar"], "==a=bar"),
    (["foo=bar    ;"], "foo=bar"),
    (["foo bar=baz"], "foo bar=baz"),
    (['"foo;bar"=baz'], '"foo'),
    (["foo=  bar"], "foo=bar"),
    (['foo="  bar "'], 'foo="  bar "'),
    (['foo="bar=baz"'], 'foo="bar=baz"'),
    (["   foo     =       bar             ;       ttt"], "foo=bar"),
]

#: Lines set, where the next request goes, what is sent.
PLACED: list[tuple[list[str], str, str]] = [
    ([OWN], HERE, "foo=bar"),
    ([OWN], SIBLING, ""),
    (["foo=bar; domain=.home.example.org"], HERE, "foo=bar"),
    ([OWN], SUB, "foo=bar"),
    (["foo=bar; domain=.home.example.org"], SUB, "foo=bar"),
    (["foo=bar; domain=.home.example.org"], SIBLING, ""),
    (["foo=bar; domain=sibling.example.org"], SIBLING, ""),
    (["foo=bar; domain=.example.org"], HERE, "foo=bar"),
    (["foo=bar; domain=example.org"], HERE, "foo=bar"),
    (["foo=bar; domain=..home.example.org"], HERE, ""),
    (["foo=bar; domain=home..example.org"], HERE, ""),
    (["foo=bar; domain=  .home.example.org"], HERE, "foo=bar"),
    (["foo=bar; domain=  .  home.example.org"], HERE, ""),
    (["foo=bar; domain=home.example.org."], HERE, ""),
    (["foo=bar; domain=home.example.org.."], HERE, ""),
    (["foo=bar; domain=home.example.org ."], HERE, ""),
    (["foo=bar; domain=.org"], HERE, ""),
    (["foo=bar; domain=.org."], HERE, ""),
    ([OWN, "foo2=bar2; domain=.home.example.org"], HERE, "foo=bar; foo2=bar2"),
    (["foo2=bar2; domain=.home.example.org", OWN], HERE, "foo2=bar2; foo=bar"),
    (['foo=bar; domain="home.example.org"'], HERE, ""),
    ([OWN, "foo2=bar2; domain=.example.org"], HERE, "foo=bar; foo2=bar2"),
    (["foo=bar; domain=.example.org; domain=home.example.org"], SIBLING, ""),
    (["foo=bar; domain=home.example.org; domain=.example.org"], SIBLING, "foo=bar"),
    (["foo=bar; domain=home.eXaMpLe.org"], HERE, "foo=bar"),
    (["foo=bar; domain=home.example.org:8888"], HERE, ""),
    (["foo=bar; domain=subdomain.home.example.org"], SUB, ""),
    (["foo=bar"], SUB, ""),
    ([OWN], "http://hoMe.eXaMplE.org:8888" + HERE, "foo=bar"),
    (["foo=bar; domain=home.example.org; domain=home.example.com"], HERE, ""),
    (["foo=bar; domain=home.example.com; domain=home.example.org"], HERE, "foo=bar"),
    (["foo=bar; domain=home.example.org; domain=example.org"], HERE, "foo=bar"),
    (["foo=bar; domain=.sibling.example.org"], SIBLING, ""),
    (["foo=bar; domain=.sibling.home.example.org"], BELOW_SIBLING, ""),
    (["foo=bar; domain="], HERE, "foo=bar"),
    (["foo=bar; domain=example.org; domain="], HERE, "foo=bar"),
    (["foo=bar; domain=foo.example.org; domain="], SUB, ""),
    (
        [
            "key=val0;",
            f"key=val1; path={HERE}",
            "key=val2; path=/",
            "key=val3; path=/bar",
            "key=val4; domain=.example.org",
            f"key=val5; domain=.example.org; path={FOO}",
        ],
        FOO + "/baz",
        "key=val5; key=val1; key=val2; key=val4",
    ),
    (["a=b; path=/", f"x=y; path={HERE}"], HERE, "x=y; a=b"),
    ([f"a=b; path={HERE}", "x=y; path=/"], HERE, "a=b; x=y"),
    (["foo=bar", f"foo=qux; path={FOO}"], HERE, "foo=bar"),
    ([f"foo=bar; path={FOO}"], FOO, "foo=bar"),
    ([f"foo=bar; path={FOO}"], HERE + "/bar", ""),
    ([f"foo=bar; path={FOO}/qux"], FOO, ""),
    ([f"foo=bar; path={FOO}/qux"], FOO + "/qux", "foo=bar"),
    ([f"foo=bar; path={FOO}/qux"], FOO + "/baz", ""),
    ([f"foo=bar; path={FOO}/qux/"], FOO + "/qux", ""),
    ([f"foo=bar; path={FOO}/qux/"], FOO + "/qux/", "foo=bar"),
    ([f"foo=bar; path={FOO}/"], FOO + "/qux", "foo=bar"),
    ([f"foo=bar; path={FOO}/"], FOO + "//qux", "foo=bar"),
    ([f"foo=bar; path={FOO}/"], FOO + "qux", ""),
    ([f"foo=bar; path={FOO}/qux?"], FOO + "/qux", ""),
    ([f"foo=bar; path={FOO}/qux#"], FOO + "/qux", ""),
    ([f"foo=bar; path={FOO}/qux;"], FOO + "/qux?query", "foo=bar"),
    ([f'foo=bar; path="{FOO}/qux;"'], FOO + "/qux", "foo=bar"),
    ([f"foo=bar; path={HERE}/f%6Fo/bar"], FOO + "/bar", ""),
    (
        [f"a=b;    path    =    {HERE}   ", "x=y;    path    =    /book   "],
        HERE,
        "a=b",
    ),
    (
        [f"foo=bar; path={HERE}", f"foo=qux; path={HERE}/"],
        HERE + "/dog",
        "foo=qux; foo=bar",
    ),
]

FACTS = [(lines, HERE, sent) for lines, sent in PLAIN] + PLACED

#: A date as a server may write it, and the Unix time that it means.
DATES: list[tuple[str, int | None]] = [
    ("Mon, 10-Dec-2007 17:02:24 GMT", 1197306144),
    ("Wed, 09 Dec 2009 16:27:23 GMT", 1260376043),
    ("Thursday, 01-Jan-1970 00:00:00 GMT", 0),
    ("Mon Dec 10 16:32:30 2007 GMT", 1197304350),
    ("Wednesday, 01-Jan-10 00:00:00 GMT", 1262304000),
    ("Thu, 31 Dec 23:55:55 2037 GMT", 2145916555),
    ("Sun,  9 Dec 2012 13:42:05 GMT", 1355060525),
    ("Wed Dec 12 2007 08:44:07 GMT-0500 (EST)", 1197449047),
    ("Mon, 01-Jan-2011 00: 00:00 GMT", None),
    ("Wednesday, 01-Jan-10 0:0:00 GMT", 1262304000),
    ("Thu, 10 Dec 2009 13:57:2 GMT", 1260453422),
    *(
        (text, 1492290082)  # 15 April 2017, 21:01:22
        for text in (
            "Sat, 15-Apr-17 21:01:22 GMT",
            '"Sat, 15-Apr-17\\"21:01:22\\"GMT"',
            "Sat, 15-Apr-17 21:01:22 GMT-0400 (EDT)",
            "Sat, 15-Apr-17 21:01:22 11:22:33",
            "Sat, 15-Apr-17 ::00 21:01:22",
            "Sat, 15-Apr-17 boink:z 21:01:22",
            "15-Sat, Apr-17 21:01:22 GMT",
            "15-Sat, Apr 21:01:22 GMT 2017",
            "15 17 Apr 21:01:22",
            "Apr 15 17 21:01:22",
            "2017 April 15 21:01:22",
        )
    ),
    *(
        (text, 1176936612)  # 18 April 2007, 22:50:12
        for text in (
            "Wed,18-Apr-07 22:50:12 GMT",
            "WillyWonka  ,  18-apr-07   22:50:12",
            "Partyday, 18 - Apri-07 22:50:12",
            "Thu Apr 18 2007 GMT 22:50:12",
            "22:50:12 Thu Apr 18 2007 GMT",
            "Thu Apr 22:50:12 18 2007 GMT",
        )
    ),
    ("Thu, 19/Apr\\2007 16:00:00 GMT", 1176998400),
    ("Wednes, 1-Januar-2003 00:00:00 GMT", 1041379200),
    ("Mon, 18-Apr-77 22:50:13 GMT", 230251813),
    *(
        (text, None)
        for text in (
            "",
            "Sat, 15-Apr-17 91:22:33 21:01:22",
            "98 April 17 21:01:22",
            "Thu, 012-Aug-2008 20:49:07 GMT",
            "Thu, 12-Aug-31841 20:49:07 GMT",
            "Thu, 12-Aug-9999999999 20:49:07 GMT",
            "Thu, 999999999999-Aug-2007 20:49:07 GMT",
            "Thu, 12-Aug-2007 20:61:99999999999 GMT",
            "31 February 2020 10:00:00",
            "IAintNoDateFool",
        )
    ),
]
