"""Parts of URLs, combined in unusual ways."""

from contextlib import suppress

from hypothesis import strategies as st

from crawler.web.urls import InvalidUrl, canonical

BASE = "https://books.example/shelf/one/list.html?page=2"

PIECES = (
    "a|b|A|.html|..|.|/|//|\\|?|#|:|@|%|%2|%41|%2f|%2E|%25|%34%31|%%34%31|&|=|;|\t|\n"
    "|http:|https://|HTTPS:|javascript:|books.example|é|\ud800|\x01|[|]|^|'|\"|../|./"
    "|x?|https:/|http:?q|127.1|0x7f|\xa0|\x00| |\r"
)
pieces = st.sampled_from(PIECES.split("|"))
references = st.lists(pieces, max_size=8).map("".join) | st.text(max_size=20)
hosts = st.sampled_from(
    ["books.example", "a.co.uk:8080", "[::1]", "127.0.0.1", "xn--bcher-kva.example"]
)
bases = st.builds(
    lambda scheme, host, tail: canonical_or(f"{scheme}://{host}/{tail}"),
    st.sampled_from(["http", "https"]),
    hosts,
    references,
)


def canonical_or(url: str) -> str:
    with suppress(InvalidUrl):
        return canonical(url)
    return BASE
