"""Multipart bodies, of bytes and of files."""

from crawler.web.multipart import (
    FilePiece,
    MultipartField,
    ending_of,
    identity,
    multipart,
    type_of,
)


def test_parts_in_memory_become_one_body() -> None:
    made = multipart(
        [MultipartField(b"a", b"1"), MultipartField(b"b", b"2", b"x.txt", "text/plain")]
    )

    boundary = made.content_type.removeprefix("multipart/form-data; boundary=").encode()
    assert made.pieces == ()
    assert made.content == (
        b"--%b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
        b"--%b\r\nContent-Disposition: form-data; name=\"b\"; filename=\"x.txt\"\r\n"
        b"Content-Type: text/plain\r\n\r\n2\r\n--%b--\r\n"
        % (boundary, boundary, boundary)
    )  # fmt: skip


def test_a_file_given_by_path_remains_a_separate_piece() -> None:
    file = FilePiece("/tmp/x")
    made = multipart(
        [
            MultipartField(b"a", b"1"),
            MultipartField(b"b", file, b"x"),
            MultipartField(b"c", file, b"y"),
        ]
    )

    kinds = [type(piece) for piece in made.pieces]
    assert made.content == b""
    assert kinds == [bytes, FilePiece, bytes, FilePiece, bytes]


def test_bodies_with_different_file_paths_differ() -> None:
    pieces = (b"a", FilePiece("/x"), b"b")

    assert identity(pieces) == identity((b"a", FilePiece("/x"), b"b"))
    assert identity(pieces) != identity((b"a", FilePiece("/y"), b"b"))
    assert identity(()) == b""


def test_the_type_of_a_file_comes_from_its_suffix() -> None:
    assert type_of("a.PDF") == "application/pdf"
    assert type_of("a.tar.zzz") == "application/octet-stream"
    assert type_of("a") == "application/octet-stream"


def test_a_type_has_a_suffix() -> None:
    assert ending_of("application/pdf") == ".pdf"
    assert ending_of("application/json") == ".json"
    assert ending_of("x/y") == ".bin"
