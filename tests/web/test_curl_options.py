"""The meaning of each option of curl, and the files that options name."""

from pathlib import Path

from crawler.web.curl import parse
from crawler.web.curl_options import (
    FLAGS,
    IGNORED,
    IGNORED_WITH_VALUE,
    SHORT,
    WITH_VALUE,
)


def test_every_short_option_has_a_long_form() -> None:
    known = {*FLAGS, *WITH_VALUE, *IGNORED, *IGNORED_WITH_VALUE}

    assert set(SHORT.values()) <= known
    assert not IGNORED & WITH_VALUE.keys()
    assert not IGNORED & IGNORED_WITH_VALUE


def test_data_files_are_read_as_by_curl(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"a=1\r\nb=\xff\0&")

    for option, expected in (
        ("-d", b"a=1b=\xff&"),
        ("--data-binary", b"a=1\r\nb=\xff\0&"),
        ("--json", b"a=1\r\nb=\xff\0&"),
        ("--data-urlencode", b"a%3D1%0D%0Ab%3D%FF%00%26"),
        ("--data-raw", f"@{path}".encode()),
    ):
        assert parse(f"curl a.example {option} '@{path}'").body == expected
    named = parse(f"curl a.example --data-urlencode 'x@{path}'").body
    assert named == b"x=a%3D1%0D%0Ab%3D%FF%00%26"


def test_parts_of_a_form_have_values_file_names_and_types(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    made = parse(
        f"curl a.example -F a=b -F 'c=@{path};type=text/css;filename=\"d.css\"' "
        f"-F 'e=<{path}' -F 'f=g;h' -F 'i={{}};type=application/json' "
        f"-F j=@{path} --form-string 'k=@l;type=m'"
    )

    assert [tuple(part) for part in made.form] == [
        ("a", "b", "", ""),
        ("c", path, "d.css", "text/css"),
        ("e", "text", "", ""),
        ("f", "g;h", "", ""),
        ("i", "{}", "", "application/json"),
        ("j", path, "a.txt", ""),
        ("k", "@l;type=m", "", ""),
    ]
