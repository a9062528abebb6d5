"""The paths of files in their folder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.pipelines.files.paths import (
    BY_CONTENT,
    NamedFile,
    beside,
    extension_of,
    path_of,
)

DIGEST = "ab" * 32


def named(name: str = "a.jpg", kind: str = "image/jpeg") -> NamedFile:
    return NamedFile(DIGEST, name, kind, "shop.example:8080")


@pytest.mark.parametrize(
    ("template", "path"),
    [
        (BY_CONTENT, f"ab/{DIGEST}.jpg"),
        ("{host}/{name}", "shop.example_8080/a.jpg"),
        ("{job}/{spider}/{stem}-{sha256:.8}{ext}", "nightly/shop/a-abababab.jpg"),
        ("/{name}", "a.jpg"),
        ("../{name}", "file/a.jpg"),
    ],
)
def test_placeholders_in_paths_are_filled_in(template: str, path: str) -> None:
    assert path_of(template, named(), "nightly", "shop") == path


@pytest.mark.parametrize(
    ("kind", "own", "extension"),
    [
        ("image/jpeg", ".JPEG", ".jpeg"),
        ("image/jpeg", ".jpg", ".jpg"),
        ("image/jpeg", ".png", ".jpg"),
        ("image/jpeg", "", ".jpg"),
        ("text/html", ".pdf", ".html"),
        ("application/x-unknown", ".dat", ".dat"),
        ("application/x-unknown", "", ""),
        ("application/pdf", ".php", ".pdf"),
    ],
)
def test_the_extension_matches_the_type(kind: str, own: str, extension: str) -> None:
    assert extension_of(kind, own) == extension


@given(st.text(max_size=400), st.sampled_from(["image/png", "text/html", ""]))
def test_no_name_leads_out_of_its_folder(name: str, kind: str) -> None:
    path = path_of("{host}/{name}", named(name, kind))
    parts = path.split("/")
    assert len(parts) == 2
    assert all(part not in ("", ".", "..") for part in parts)
    again = beside(path, DIGEST)
    assert all(len(part.encode()) <= 255 for part in again.split("/"))
    assert again != path
