"""The type of a file by its first bytes."""

from __future__ import annotations

import pytest

from crawler.pipelines.files.content_type import is_wanted, type_of

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("head", "declared", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/jpeg", "image/png"),
        (b"%PDF-1.4", "application/octet-stream", "application/pdf"),
        (b"<html><p>Login", "application/pdf", "text/html"),
        (b"<!DOCTYPE html>", "image/png", "text/html"),
        (b"PK\x03\x04", DOCX, DOCX),
        (b"PK\x03\x04", "", "application/zip"),
        (b"PK\x03\x04", "image/png", "application/zip"),
        (b"<!-- made by x --><svg>", "image/svg+xml", "image/svg+xml"),
        (b"<?xml version='1.0'?><svg>", "image/svg+xml", "image/svg+xml"),
        (b"Not found", "image/png", "text/plain"),
        (b"a,b\n1,2\n", "text/csv", "text/csv"),
        (b"\x00\x00\x00\x1cftypavif", "image/avif", "image/avif"),
        (b"", "application/pdf", "text/plain"),
        (b"\x1f\x8b\x08", "application/gzip", "application/gzip"),
    ],
)
def test_the_type_is_detected_from_the_first_bytes(
    head: bytes, declared: str, kind: str
) -> None:
    assert type_of(head, declared) == kind


def test_types_are_given_by_name_or_by_family() -> None:
    assert is_wanted("image/png", ["image/*"])
    assert is_wanted("image/png", ["image/"])
    assert is_wanted("image/png", ["application/pdf", "image/png"])
    assert not is_wanted("image/png", ["image/jpeg"])
    assert not is_wanted("imagexpng/a", ["image/*"])
    assert not is_wanted("text/html", ["application/pdf"])
