from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio

from crawler.sinks import Channel, Collect, Outputs
from crawler.sinks.memory import value_of
from crawler.store.base import ItemRow
from tests.sinks.kept import RUN, KeptStore, source_of


@dataclass
class Book:
    title: str


def rows(*numbers: int) -> list[ItemRow]:
    return [ItemRow(n, 0, 0, b'{"n":%d}' % n) for n in numbers]


async def test_an_item_of_this_process_is_the_same_object() -> None:
    store, collect, book = KeptStore(), Collect(), Book("A")
    async with Outputs([collect], store, RUN) as outputs:
        outputs.wake(await store.add([book]))
        await outputs.publish()

    assert collect.items[0] is book


def test_an_item_of_an_earlier_process_is_read_from_json() -> None:
    assert value_of(ItemRow(1, 0, 0, b'{"title":"A"}')) == {"title": "A"}


async def test_a_channel_returns_items_until_it_is_closed() -> None:
    channel = Channel()
    await channel.open(source_of(KeptStore(), "Channel"))
    await channel.write(rows(1, 2))
    await channel.close()

    assert [item async for item in channel] == [{"n": 1}, {"n": 2}]


async def test_a_channel_waits_for_its_reader() -> None:
    channel, seen = Channel(size=2), list[Any]()
    await channel.open(source_of(KeptStore(), "Channel"))
    async with anyio.create_task_group() as tasks:

        async def put() -> None:
            await channel.write(rows(1, 2, 3, 4))
            seen.append("all put")

        tasks.start_soon(put)
        await anyio.wait_all_tasks_blocked()
        seen.append((await anext(channel))["n"])
        await anyio.wait_all_tasks_blocked()
        seen.append((await anext(channel))["n"])
        await anyio.wait_all_tasks_blocked()
        seen.append((await anext(channel))["n"])

    assert seen == [1, 2, "all put", 3]


async def test_a_reader_that_leaves_does_not_delay_the_run() -> None:
    channel = Channel(size=1)
    await channel.open(source_of(KeptStore(), "Channel"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(channel.write, rows(1, 2, 3, 4))
        await anyio.wait_all_tasks_blocked()
        channel.leave()

    assert [item async for item in channel] == []


async def test_a_resumed_run_continues_after_the_last_item_taken() -> None:
    store, first, second = KeptStore(), Channel(), Channel()
    async with Outputs([first], store, RUN) as outputs:
        outputs.wake(await store.add([{"n": 1}, {"n": 2}, {"n": 3}]))
        await outputs.drain()
        seen = [await anext(first), await anext(first)]  # asked again: 1 is done with
        outputs.wake(await store.add([{"n": 4}]))
        await outputs.drain()

    async with Outputs([second], store, RUN) as outputs:
        outputs.wake(4)
        await outputs.drain()
    rest = [item async for item in second]

    assert seen == [{"n": 1}, {"n": 2}]
    assert rest == [{"n": 2}, {"n": 3}, {"n": 4}]


async def test_rows_that_arrive_twice_are_returned_once() -> None:
    channel = Channel()
    await channel.open(source_of(KeptStore(), "Channel"))
    await channel.write(rows(1, 2))
    await channel.write(rows(1, 2, 3))
    await channel.close()

    assert [item["n"] async for item in channel] == [1, 2, 3]
