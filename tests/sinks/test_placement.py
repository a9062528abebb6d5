from __future__ import annotations

from pathlib import Path

import pytest

from crawler.errors import SinkError
from crawler.sinks import LocalFile, Position
from crawler.sinks.placement import Placement, put, recovered, refusal
from tests.sinks.fake_disk import FakeDisk

WRITING = Position(sequence=3, size=10, shape="jsonl")
PUBLISHING = Position(3, 10, "publishing", "/out", "jsonl")
FINISHED = Position(3, 10, "finished", "/out", "jsonl")
ANEW = Position(shape="jsonl")


@pytest.mark.parametrize(
    ("position", "target", "part", "expected"),
    [
        pytest.param(None, None, None, ANEW, id="a new run"),
        pytest.param(None, None, 10, ANEW, id="a part of another run"),
        pytest.param(WRITING, None, 10, WRITING, id="as it was recorded"),
        pytest.param(WRITING, 5, 99, WRITING, id="with a torn end"),
        pytest.param(WRITING, None, 9, ANEW, id="too short"),
        pytest.param(WRITING, 10, None, ANEW, id="gone"),
        pytest.param(PUBLISHING, None, 10, WRITING, id="killed before the rename"),
        pytest.param(PUBLISHING, 10, 10, WRITING, id="over an older one"),
        pytest.param(PUBLISHING, 10, None, FINISHED, id="killed after the rename"),
        pytest.param(PUBLISHING, 9, None, ANEW, id="renamed, and not ours"),
        pytest.param(PUBLISHING, None, None, ANEW, id="both gone"),
        pytest.param(FINISHED, 10, None, FINISHED, id="finished"),
        pytest.param(FINISHED, 12, 3, FINISHED, id="finished, and changed since"),
        pytest.param(FINISHED, None, None, ANEW, id="finished, and moved away"),
        pytest.param(Position(3, 10, shape="csv"), 1, 10, ANEW, id="another shape"),
    ],
)
def test_recovery_trusts_only_what_record_and_disk_both_say(
    position: Position | None, target: int | None, part: int | None, expected: Position
) -> None:
    assert recovered(position, "jsonl", target, part) == expected


PLACE = Path("/out/a.jsonl")


def placed(disk: FakeDisk, content: bytes) -> Placement:
    """A placement whose part holds `content`."""
    location = LocalFile(PLACE, disk=disk)
    placement = Placement(location, "refuse", None)
    placement.recover(None, "jsonl")
    location.open().write(0, content)
    return placement


def test_a_part_file_is_published_once() -> None:
    disk = FakeDisk()
    placement = placed(disk, b"new")

    assert placement.publish(3, lambda place: False)
    assert placement.publish(3, lambda place: False)  # the part is gone, the place full
    assert not placement.publish(4, lambda place: False)
    assert disk.content(PLACE) == b"new"


def test_a_file_that_appeared_is_replaced_only_if_it_belongs_to_the_job() -> None:
    disk = FakeDisk()
    placement = placed(disk, b"new")
    disk.put(PLACE, b"theirs")
    placed(disk, b"new")

    with pytest.raises(
        SinkError, match=r"created .* The items of this run are in .*\.part"
    ):
        placement.publish(3, lambda place: False)
    assert placement.publish(3, lambda place: place == str(PLACE))


def test_a_small_file_is_put_in_place_as_a_whole(tmp_path: Path) -> None:
    put(LocalFile(tmp_path / "a.json"), b"{}")

    assert (tmp_path / "a.json").read_bytes() == b"{}"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_rejection_says_what_to_do() -> None:
    assert "use --overwrite, --append or another name" in str(refusal("a.csv"))
