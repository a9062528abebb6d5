"""Links are resolved as by browsers, and known ones are cached."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.web.links import Link, Resolver, srcset_urls
from crawler.web.urls import InvalidUrl, fingerprint, host_of, join
from tests.web.url_pieces import BASE, bases, references


@settings(deadline=None)
@given(st.lists(st.tuples(bases, references), max_size=12))
def test_the_resolver_agrees_with_join(pairs: list[tuple[str, str]]) -> None:
    resolver = Resolver(maximum=4)

    for base, reference in pairs * 2:
        try:
            expected = join(base, reference)
        except InvalidUrl:
            assert resolver.resolve(base, reference) is None
        else:
            link = resolver.resolve(base, reference)
            assert link == Link(
                expected, fingerprint("GET", expected), host_of(expected)
            )


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        pytest.param("", BASE, id="nothing"),
        pytest.param("#top", BASE, id="fragment"),
        pytest.param("?page=3", "https://books.example/shelf/one/list.html?page=3"),
        pytest.param("//other.example", "https://other.example/", id="host"),
        pytest.param("2.html#x", "https://books.example/shelf/one/2.html", id="file"),
        pytest.param("2 #x", "https://books.example/shelf/one/2%20", id="space kept"),
        pytest.param("2 ", "https://books.example/shelf/one/2", id="space stripped"),
        pytest.param(" #x", BASE, id="space and fragment"),
        pytest.param("../two/", "https://books.example/shelf/two/", id="up"),
        pytest.param("../../../../a", "https://books.example/a", id="above the root"),
        pytest.param("..", "https://books.example/shelf/", id="parent"),
        pytest.param("/a/../b", "https://books.example/b", id="rooted"),
        pytest.param(" \n/a ", "https://books.example/a", id="white space"),
        pytest.param("\\a\\b", "https://books.example/a/b", id="backslashes"),
        pytest.param("HTTP://X.example/A", "http://x.example/A", id="upper case"),
        pytest.param("https://books.exampleX", "https://books.examplex/"),
        pytest.param("https://books.example", "https://books.example/"),
        pytest.param("https://books.example/a/./b", "https://books.example/a/b"),
        pytest.param("https://books.example//a", "https://books.example//a"),
        pytest.param("https://books.example/a?b|c", "https://books.example/a?b|c"),
        pytest.param("https://a@books.example/a", "https://books.example/a"),
        pytest.param("https://books.example:443/a", "https://books.example/a"),
        pytest.param("Talk:Books", None, id="a scheme"),
        pytest.param("./Talk:Books", "https://books.example/shelf/one/Talk:Books"),
    ],
)
def test_a_reference_is_resolved_as_in_a_browser(
    reference: str, expected: str | None
) -> None:
    resolver = Resolver()

    links = [resolver.resolve(BASE, reference) for _ in range(2)]

    assert [link and link.url for link in links] == [expected, expected]


def test_a_page_has_each_link_once_in_order_of_first_appearance() -> None:
    resolver = Resolver()

    links = resolver.resolve_all(
        BASE, ["b", "#x", "a", "mailto:x@y", "./b", "b#y", "", "javascript:void(0)"]
    )

    assert [link.url for link in links] == [
        "https://books.example/shelf/one/b",
        BASE,
        "https://books.example/shelf/one/a",
    ]
    assert resolver.rejected == {"blocked_scheme": 2}


def test_the_fast_path_for_known_origins_changes_no_result() -> None:
    resolver = Resolver()
    rests = [
        "",
        "/",
        "/a",
        "/a/../b",
        "/./a",
        "//a",
        "/a b",
        "/%7Ea",
        "?q",
        "\\a",
        "X/a",
    ]

    for origin in ("https://other.example", "https://Other.example:443") * 2:
        for reference in [origin + rest for rest in rests]:
            try:
                expected: str | None = join(BASE, reference)
            except InvalidUrl:
                expected = None
            link = resolver.resolve(BASE, reference)
            assert (link and link.url) == expected


def test_a_known_reference_is_the_same_object_on_every_page_of_its_directory() -> None:
    resolver = Resolver()

    first = resolver.resolve("https://books.example/shelf/1.html", "/about")
    again = resolver.resolve("https://books.example/other/9.html", "/about")

    assert first is again


def test_references_of_one_page_are_not_reused_for_another() -> None:
    resolver = Resolver()
    pages = ["https://books.example/a?x", "https://books.example/b?y"]

    for reference in ("", "?z", "#f", "https:?q", "ht\ntps:?q", "\t?q", "\x01?q"):
        for page in pages:
            link = resolver.resolve(page, reference)
            assert link is not None
            assert link.url == join(page, reference)


def test_the_cache_of_the_resolver_is_limited() -> None:
    resolver = Resolver(maximum=100)

    for page in range(500):
        base = f"https://books.example/{page}/"
        resolver.resolve_all(base, [f"{number}.html" for number in range(10)])

    assert len(resolver) <= 200


def test_a_link_that_is_too_long_is_counted() -> None:
    resolver = Resolver(max_url=40)

    assert resolver.resolve("https://books.example/", "a" * 30) is None
    assert resolver.rejected == {"too_long": 1}


def test_the_cache_of_a_single_directory_is_limited() -> None:
    resolver = Resolver(maximum=100)

    for page in range(100):
        references = [f"/{page}/{n}" for n in range(10)]
        resolver.resolve_all("https://site.example/", references)

    assert len(resolver) <= 100 + 10


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("a.png", ["a.png"]),
        ("a.png 1x, b.png 2x", ["a.png", "b.png"]),
        ("a.png,b.png 2x", ["a.png,b.png"]),
        ("a.png, b.png", ["a.png", "b.png"]),
        (" ,, a.png 100w , b.png 1.5x ,", ["a.png", "b.png"]),
        ("a.png x(1,2) 2x,b.png", ["a.png", "b.png"]),
        ("data:,a 1x, b 2x", ["data:,a", "b"]),
        ("a.png x(1", ["a.png"]),
        ("", []),
        (" , ,", []),
    ],
)
def test_a_srcset_is_split_as_browsers_do(text: str, urls: list[str]) -> None:
    assert srcset_urls(text) == urls
