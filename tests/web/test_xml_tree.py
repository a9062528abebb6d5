"""XML as a tree and as a stream; broken, huge or hostile XML is an error."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element, tostring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.xml_tree import MAX_DEPTH, ElementReader, XmlError, parse
from tests.web.mutations import mutated

RSS = b"""<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://a.example/rss.dtd">
<rss xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Books &amp; all</title>
<item id="1"><title>Emma</title><link>https://a.example/1</link>
<description><![CDATA[<b>9 &euro;</b>]]></description><dc:date>1815</dc:date></item>
<item id="2"><title>Sanditon</title><image/></item><!-- end --></channel></rss>"""
YML = """<?xml version="1.0" encoding="windows-1251"?>
<!DOCTYPE yml_catalog SYSTEM "shops.dtd">
<yml_catalog><offer id="7"><name>Книга</name></offer></yml_catalog>"""
DC = "{http://purl.org/dc/elements/1.1/}"


def read(
    data: bytes, names: Iterable[str] = ("item",), step: int = 1_000_000
) -> list[Element]:
    reader = ElementReader(names)
    found: list[Element] = []
    for start in range(0, len(data), step):
        found += reader.feed(data[start : start + step])
    return [*found, *reader.close()]


def test_a_document_is_parsed_to_a_tree() -> None:
    root = parse(RSS)

    assert root.tag == "rss"
    assert [item.findtext("title") for item in root.iter("item")] == [
        "Emma",
        "Sanditon",
    ]
    assert root.findtext("channel/item/link") == "https://a.example/1"
    assert root.findtext(".//description") == "<b>9 &euro;</b>"
    assert root.findtext(f".//{DC}date") == "1815"


@pytest.mark.parametrize("step", [1, 7, 100, 1_000_000])
def test_a_stream_returns_the_elements_with_a_name(step: int) -> None:
    first, second = read(RSS, step=step)

    assert tostring(first) == tostring(parse(RSS)[0][1]).strip()
    assert first.tail is None
    assert (second.get("id"), second.findtext("title")) == ("2", "Sanditon")
    assert second.find("image") is not None


@pytest.mark.parametrize(
    ("names", "tags"),
    [
        ((), ["channel"]),
        (("title",), ["title"] * 3),
        (("date", "link"), ["link", f"{DC}date"]),
        ((f"{DC}date",), [f"{DC}date"]),
        (("{}date",), []),
        (("{}link",), ["link"]),
        (("channel", "item"), ["channel"]),
        (("rss",), ["rss"]),
        (("nothing",), []),
    ],
)
def test_the_given_names_decide_which_elements_are_returned(
    names: tuple[str, ...], tags: list[str]
) -> None:
    assert [element.tag for element in read(RSS, names, 64)] == tags


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        (b"<a>\xc3\xa9</a>", None, "é"),
        (b"\xef\xbb\xbf<a>\xc3\xa9</a>", "latin1", "é"),
        (b"<a>\xe9</a>", "latin1", "é"),
        (b"<?xml version='1.0' encoding='latin1'?><a>\xe9</a>", None, "é"),
        (b"<?xml version='1.0' encoding='latin1'?><a>\xc3\xa9</a>", "utf-8", "é"),
        ("<?xml version='1.0'?><a>é</a>".encode("utf-16"), None, "é"),
        ("<?xml version='1.0'?><a>é</a>".encode("utf-16-be"), None, "é"),
        ("<?xml version='1.0' encoding='gbk'?><a>中文</a>".encode("gbk"), None, "中文"),
        ("<a>書</a>".encode("shift_jis"), "shift_jis", "書"),
        (YML.encode("windows-1251"), None, "Книга"),
    ],
)
def test_a_document_is_decoded_by_its_encoding(
    data: bytes, charset: str | None, text: str
) -> None:
    assert "".join(parse(data, charset).itertext()).strip() == text
    names = ("name", "a")
    reader = ElementReader(names, charset)
    found = [e for at in range(len(data)) for e in reader.feed(data[at : at + 1])]
    assert [element.text for element in (*found, *reader.close())] == [text]


REFUSED = [
    pytest.param(
        b'<!DOCTYPE a [<!ENTITY l "lol"><!ENTITY m "&l;&l;">]><a>&m;</a>',
        "the document declares the entity 'l', which is refused",
        id="an entity",
    ),
    pytest.param(
        b'<!DOCTYPE a [<!ENTITY file SYSTEM "file:///etc/passwd">]><a>&file;</a>',
        "the document declares the entity 'file', which is refused",
        id="an external entity",
    ),
    pytest.param(
        b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://a.example/p"> %p;]><a/>',
        "the document declares the entity 'p', which is refused",
        id="a parameter entity",
    ),
    pytest.param(
        b'<!DOCTYPE a [<!ATTLIST a b CDATA "lol">]><a/>',
        "the document contains a DTD, <!DOCTYPE a [...]>, which is refused",
        id="a DTD",
    ),
    pytest.param(b"<a>x&nbsp;</a>", "undefined entity", id="an unknown entity"),
    pytest.param(
        b'<!DOCTYPE a SYSTEM "a.dtd"><a>x&nbsp;</a>',
        "undefined entity &nbsp;",
        id="an entity of a DTD that is not loaded",
    ),
    pytest.param(b"<a>" * 300, f"nested over {MAX_DEPTH} levels deep", id="deep"),
    pytest.param(
        b"<a>" * 300_000 + b"</a>" * 300_000,
        f"nested over {MAX_DEPTH} levels deep",
        id="very deep",
    ),
    pytest.param(
        b"<a xmlns='%s'/>" % (b"x" * 501),
        "the name of an XML namespace is over 500 bytes",
        id="a long namespace",
    ),
    pytest.param(
        b'<a\nxmlns:b = "\'%s"/>' % (b"x" * 70_000),
        "the name of an XML namespace is over 500 bytes",
        id="a very long namespace",
    ),
]
BROKEN = [
    pytest.param(b"", "no element found", id="nothing"),
    pytest.param(b"<a><b></a>", "mismatched tag: line 1", id="a wrong end tag"),
    pytest.param(b"<a>\n x & y</a>", "not well-formed .*line 2", id="a bare &"),
    pytest.param(b"<a>\xff</a>", "not well-formed", id="not UTF-8"),
    pytest.param(b"<a>\x0b</a>", "not well-formed", id="a control character"),
    pytest.param(b"<a/><b/>", "junk after document element", id="two roots"),
    pytest.param(b"{}", "not well-formed", id="JSON"),
]


@pytest.mark.parametrize(("data", "detail"), [*REFUSED[:-4], *REFUSED[-2:], *BROKEN])
def test_broken_or_hostile_xml_is_an_error(data: bytes, detail: str) -> None:
    with pytest.raises(XmlError, match=detail.replace("[...]", r"\[\.\.\.\]")):
        parse(data)


def test_a_deep_document_is_an_error() -> None:
    for deep in (300, 300_000):
        with pytest.raises(XmlError, match=f"nested over {MAX_DEPTH} levels deep"):
            parse(b"<a>" * deep + b"</a>" * deep)
    assert parse(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH).tag == "a"


@pytest.mark.parametrize("step", [1_000, 1_000_000])
@pytest.mark.parametrize(("data", "detail"), [*REFUSED, *BROKEN])
def test_broken_or_hostile_xml_ends_a_stream(
    data: bytes, detail: str, step: int
) -> None:
    with pytest.raises(XmlError, match=detail.replace("[...]", r"\[\.\.\.\]")):
        read(data, (), step)


def test_an_error_shows_the_text_at_its_position() -> None:
    with pytest.raises(XmlError) as caught:
        parse("<a>\r\n<b>é</b>\r\n x & y</a>".encode())

    assert str(caught.value) == (
        "not well-formed (invalid token): line 3, column 4, at ' y</a>'"
    )


def test_a_stream_returns_the_elements_before_an_error_and_its_position() -> None:
    found: list[Element] = []
    elements = ElementReader(("item",)).feed(RSS + b"\n<more/>" + b" " * 1_000)

    with pytest.raises(XmlError) as caught:
        found.extend(elements)

    assert [element.get("id") for element in found] == ["1", "2"]
    assert str(caught.value) == "junk after document element: line 7, column 0"


def test_a_document_with_too_many_elements_and_attributes_is_an_error() -> None:
    data = b"<a>" + b"<b c=''/>" * 50 + b"</a>"

    assert len(parse(data, max_nodes=101)) == 50
    with pytest.raises(XmlError, match=r"over 100 elements.*http.max_nodes.*stream="):
        parse(data, max_nodes=100)


def test_one_element_of_a_stream_cannot_fill_the_memory() -> None:
    reader = ElementReader(("b",), max_nodes=1_000)
    huge = b"<a>" + b"<b/>" * 5_000 + b"<b>" + b"<c/>" * 60_000

    with pytest.raises(XmlError, match="an element <b> has over 1,000 elements"):
        list(reader.feed(huge))
    assert reader.count == 5_000


@pytest.mark.parametrize(
    "filler",
    [b"x", b"<!--x", b"<b c='x", b"<?x", b"<![CDATA[x"],
    ids=["text", "comment", "attribute", "instruction", "CDATA"],
)
def test_a_stream_without_tags_ends_with_an_error(filler: bytes) -> None:
    given = []

    def pieces() -> Iterator[bytes]:
        for piece in (b"<a>" + filler, *[b"x" * 65_536] * 1_000):
            given.append(len(piece))
            yield piece

    reader = ElementReader(("b",))
    found = (element for piece in pieces() for element in reader.feed(piece))

    with pytest.raises(XmlError, match="the document has over 8 MiB without a tag"):
        next(found)
    assert sum(given) < 20 * 1024**2


def test_a_stream_of_any_size_takes_the_same_memory() -> None:
    item = b"<item a='1'><title>Emma</title></item><other><b>x</b></other>text " * 100
    reader = ElementReader(("item",))
    list(reader.feed(b"<rss><channel>" + item * 10))
    tracemalloc.start()
    try:
        for _ in range(1_000):
            for _ in reader.feed(item):
                pass
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert reader.count >= 100_000
    assert kept < 1_000_000
    assert most < 8_000_000


@given(st.lists(st.integers(1, 400), max_size=8))
def test_a_stream_in_pieces_of_any_size_gives_the_same_elements(
    sizes: list[int],
) -> None:
    reader = ElementReader(("item", "title"))
    found: list[Element] = []
    at = 0
    for size in sizes:
        found += reader.feed(RSS[at : at + size])
        at += size
    found += reader.feed(RSS[at:])
    found += reader.close()

    assert [tostring(each) for each in found] == [
        tostring(each) for each in read(RSS, ("item", "title"))
    ]


SEEDS = (RSS, YML.encode("windows-1251"), b"<a b='c'>d<e/>f<!-- g --></a>")


def test_corrupted_documents_give_the_same_result_as_tree_and_as_stream() -> None:
    broken = long_ones = 0
    for data in mutated(SEEDS, 4_000, seed=14):
        try:
            whole: str = parse(data).tag
        except XmlError as exc:
            whole, broken = "", broken + 1
            long_ones += "\n" in str(exc)
        streamed = ""
        try:
            for element in read(data, (whole,), 50):
                streamed = element.tag
        except XmlError:
            pass
        assert streamed == whole
    assert not long_ones
    assert 1_300 < broken < 3_950
