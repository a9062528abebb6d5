"""Outputs in object storage, with an S3 server and with obstore's memory store."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from tenacity import AsyncRetrying, stop_after_attempt

pytest.importorskip("obstore", reason="needs the extra objects")

from crawler.errors import ConfigError, OutputExists, SinkError
from crawler.sinks import GrowingFile, ItemType, Mode, Outputs, OutputSpec, Sink
from crawler.sinks.formats import JsonLines
from crawler.sinks.objects import PART_SIZE, StoredObject
from crawler.sinks.uri import open_sink
from tests.sinks import s3
from tests.sinks.kept import RUN, KeptStore

numbers = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, Any]]:
    with s3.serving() as server:
        yield server.options


@pytest.fixture(params=["memory", "s3"])
def bucket(request: pytest.FixtureRequest) -> s3.Bucket:
    if request.param == "memory":
        return s3.memory()
    options = request.getfixturevalue("server")
    return s3.bucket(options, f"{s3.BUCKET}{next(numbers)}")


def sink_of(bucket: s3.Bucket, mode: Mode = "refuse") -> Sink:
    place = StoredObject("s3://books/out/a.jsonl", store=bucket.store)
    return GrowingFile(place, JsonLines(), mode=mode)


async def publish(
    sink: Sink,
    items: Sequence[Any],
    *,
    store: KeptStore | None = None,
    aside: str = "",
    is_owned: bool = False,
    **options: Any,
) -> Outputs:
    store = store or KeptStore()
    owns = (lambda place: True) if is_owned else (lambda place: False)
    async with Outputs([sink], store, RUN, owns=owns, **options) as outputs:
        outputs.wake(await store.add(items))
        await outputs.drain()
        await outputs.publish(aside)
    return outputs


KEY = "out/a.jsonl"


async def get(bucket: s3.Bucket, key: str = KEY) -> bytes:
    return await to_thread.run_sync(bucket.get, key)


async def keys(bucket: s3.Bucket) -> list[str]:
    return await to_thread.run_sync(bucket.keys)


async def test_an_object_appears_when_the_run_publishes(bucket: s3.Bucket) -> None:
    store, sink = KeptStore(), sink_of(bucket)
    async with Outputs([sink], store, RUN) as outputs:
        outputs.wake(await store.add([{"n": 1}, {"n": 2}]))
        await outputs.drain()
        before = await keys(bucket)
        await outputs.publish()

    assert before == []
    assert await get(bucket) == b'{"n":1}\n{"n":2}\n'
    assert await keys(bucket) == [KEY]
    assert outputs.published() == ["s3://books/out/a.jsonl"]


async def test_a_large_object_is_put_in_parts(bucket: s3.Bucket) -> None:
    text = "x" * 1_000_000
    await publish(sink_of(bucket), [{"n": n, "t": text} for n in range(12)])

    content = await get(bucket)
    assert len(content) > PART_SIZE
    assert content.count(b"\n") == 12


async def test_an_object_of_another_program_is_rejected_and_an_own_one_replaced(
    bucket: s3.Bucket,
) -> None:
    await to_thread.run_sync(bucket.put, KEY, b"old")

    with pytest.raises(OutputExists, match=r"s3://books/out/a\.jsonl exists"):
        await publish(sink_of(bucket), [{"n": 1}])
    await publish(sink_of(bucket), [{"n": 2}], is_owned=True)

    assert await get(bucket) == b'{"n":2}\n'


async def test_an_object_created_during_the_crawl_is_not_replaced(
    bucket: s3.Bucket,
) -> None:
    once = AsyncRetrying(stop=stop_after_attempt(1))
    store = KeptStore()
    async with Outputs([sink_of(bucket)], store, RUN, retrying=lambda: once) as outputs:
        outputs.wake(await store.add([{"n": 1}]))
        await to_thread.run_sync(bucket.put, KEY, b"theirs")
        with pytest.raises(SinkError, match=r"created .* while the crawl ran"):
            await outputs.publish()

    assert await get(bucket) == b"theirs"


async def test_a_killed_run_leaves_no_object_and_the_next_run_writes_it(
    bucket: s3.Bucket,
) -> None:
    store = KeptStore()
    async with Outputs([sink_of(bucket)], store, RUN) as outputs:
        outputs.wake(await store.add([{"n": 1}]))
        await outputs.drain()  # and killed here
    before = await keys(bucket)

    await publish(sink_of(bucket), [{"n": 2}], store=store)

    assert before == []
    assert await get(bucket) == b'{"n":1}\n{"n":2}\n'


class Killed(BaseException):
    pass


class MortalObject(StoredObject):
    """Its process ends just before, or just after, the upload."""

    is_late = False

    def publish(self) -> None:
        if self.is_late:
            super().publish()
        raise Killed


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("old", [None, b'{"n":0}\n'])
async def test_a_kill_during_the_upload_loses_nothing(
    bucket: s3.Bucket, is_late: bool, old: bytes | None
) -> None:
    """The old object is of the same size: only its mark tells it from the new one."""
    store = KeptStore()
    if old is not None:
        await to_thread.run_sync(bucket.put, KEY, old)
    place = MortalObject("s3://books/out/a.jsonl", store=bucket.store)
    place.is_late = is_late
    with pytest.raises(Killed):
        await publish(
            GrowingFile(place, JsonLines()), [{"n": 1}], store=store, is_owned=True
        )

    outputs = await publish(sink_of(bucket), [], store=store, is_owned=True)

    assert await get(bucket) == b'{"n":1}\n'
    assert outputs.published() == ["s3://books/out/a.jsonl"]


class LostAnswer(StoredObject):
    """The first upload succeeds, but its answer is lost."""

    is_lost = False

    def _put(self, file: Any, mode: Any) -> None:
        super()._put(file, mode)
        if not self.is_lost:
            self.is_lost = True
            raise OSError("connection reset")


async def test_an_upload_with_a_lost_response_is_recognised_as_its_own(
    bucket: s3.Bucket,
) -> None:
    place = LostAnswer("s3://books/out/a.jsonl", store=bucket.store)
    twice = AsyncRetrying(stop=stop_after_attempt(3), sleep=_no_sleep)

    await publish(GrowingFile(place, JsonLines()), [{"n": 1}], retrying=lambda: twice)

    assert place.is_lost
    assert await get(bucket) == b'{"n":1}\n'


async def _no_sleep(seconds: float) -> None:
    return None


async def test_a_bad_run_is_stored_beside_a_good_object(bucket: s3.Bucket) -> None:
    await to_thread.run_sync(bucket.put, KEY, b"good")

    outputs = await publish(
        sink_of(bucket), [{"n": 1}], aside="bad-run-3", is_owned=True
    )

    assert await get(bucket) == b"good"
    assert await get(bucket, "out/a.bad-run-3.jsonl") == b'{"n":1}\n'
    assert outputs.kept() == ["s3://books/out/a.jsonl"]
    assert outputs.published() == ["s3://books/out/a.bad-run-3.jsonl"]


async def test_an_outage_is_retried(server: dict[str, Any], tmp_path: Path) -> None:
    """The server does not know the bucket until the second try."""
    bucket = s3.bucket(server, f"{s3.BUCKET}{next(numbers)}")
    place = StoredObject("s3://books/out/a.jsonl", store=bucket.store)
    is_down = [True]

    class Flaky(GrowingFile):
        async def publish(self, sequence: int) -> None:
            if is_down.pop() if is_down else False:
                raise OSError("the storage is down")
            await super().publish(sequence)

    twice = AsyncRetrying(stop=stop_after_attempt(2), sleep=_no_sleep)
    await publish(Flaky(place, JsonLines()), [{"n": 1}], retrying=lambda: twice)

    assert await get(bucket) == b'{"n":1}\n'


@pytest.mark.parametrize("ending", ["jsonl", "csv.gz", "json", "parquet"])
async def test_every_format_can_be_written_to_a_bucket(
    server: dict[str, Any], ending: str
) -> None:
    name = f"{s3.BUCKET}{next(numbers)}"
    bucket = await to_thread.run_sync(s3.bucket, server, name)
    spec = OutputSpec(uri=f"s3://{name}/{{x}}.{ending}", options=server)
    sink = await to_thread.run_sync(
        lambda: open_sink(spec, item_type=ItemType.named(["n"]))
    )

    await publish(sink, [{"n": 1}])

    assert await keys(bucket) == [f"{{x}}.{ending}"]


async def test_an_unwritable_bucket_is_reported_in_one_line_before_the_first_request(
    server: dict[str, Any],
) -> None:
    sink = open_sink(OutputSpec(uri="s3://nowhere/a.jsonl", options=server))

    with pytest.raises(ConfigError, match=r"s3://nowhere/a\.jsonl cannot be") as e:
        async with Outputs([sink], KeptStore(), RUN):
            pass

    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("uri", "options", "words"),
    [
        ("s3://bucket", {}, "has an unknown ending"),
        ("s3://bucket/folder/", {}, "has an unknown ending"),
        ("s3:///x.jsonl", {}, r"write it as s3://bucket/name\.jsonl"),
        ("s3://bucket/x.jsonl", {"regoin": "x"}, "'regoin' is not valid for store"),
        ("az://bucket/x.jsonl", {}, "Account must be specified"),
    ],
)
def test_an_invalid_object_name_is_rejected_at_once(
    uri: str, options: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ConfigError, match=words):
        open_sink(OutputSpec(uri=uri, options=options))


def test_an_object_cannot_be_appended_to() -> None:
    with pytest.raises(ConfigError, match="--append cannot continue"):
        open_sink(OutputSpec(uri="s3://b/x.jsonl", options=s3.OPTIONS), mode="append")
