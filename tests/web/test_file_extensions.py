"""The extension of a URL shows whether its link is followed."""

import pytest

from crawler.web.file_extensions import SKIPPED, extension_of, unwanted


@pytest.mark.parametrize(
    ("path", "extension"),
    [
        ("", ""),
        ("a", ""),
        ("a.pdf", "pdf"),
        ("A.PDF", "pdf"),
        ("a.tar.gz", "gz"),
        ("a.pdf?download=1", "pdf"),
        ("a.pdf;jsessionid=1", "pdf"),
        ("a.pdf/", ""),
        ("a.pdf/b", ""),
        ("view?file=/a.pdf", ""),
        ("v1.0", "0"),
        (".pdf", "pdf"),
        ("a.", ""),
    ],
)
def test_the_extension_comes_from_the_last_path_segment(
    path: str, extension: str
) -> None:
    assert extension_of(f"https://files.zip/{path}") == extension


def test_pages_do_not_count_as_files() -> None:
    for page in (
        "html",
        "htm",
        "php",
        "aspx",
        "jsp",
        "js",
        "com",
        "xml",
        "rss",
        "json",
    ):
        assert page not in SKIPPED


def test_a_type_that_the_spider_accepts_is_not_skipped() -> None:
    assert unwanted(["pdf", ".ZIP"], ["text/html"]) == {"pdf", "zip"}
    assert unwanted(["pdf", "zip"], ["application/pdf"]) == {"zip"}
    assert unwanted(["pdf", "zip"], ["*/*"]) == frozenset()
    assert unwanted(["odd"], [""]) == {"odd"}
