"""The data of Nuxt and Next.js as plain values of limited size."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from crawler.web.framework_data import from_devalue, next_rows


@pytest.mark.parametrize(
    ("values", "plain"),
    [
        ([{"a": 1, "b": 2}, "x", [1, 3], True], {"a": "x", "b": ["x", True]}),
        ([["ShallowReactive", 1], {"data": 2}, ["Ref", 3], 7], {"data": 7}),
        ([[1, -1, -3, 1], "x"], ["x", None, None, "x"]),
        ([{"d": 1}, ["Date", "2026-01-02"]], {"d": "2026-01-02"}),
        ([["Set", 1, 2], 5, 6], [5, 6]),
        ([["Map", 1, 2], "k", "v"], [["k", "v"]]),
        ([["null", "k", 1], "v"], {"k": "v"}),
        (["x"], "x"),
        ([{"me": 0}], {"me": None}),
        ([{"a": 5}], [{"a": 5}]),  # no such place
        ([{"a": "b"}], [{"a": "b"}]),
        ([{"a": True}], [{"a": True}]),
        ([{"a": -9}], [{"a": -9}]),
        ([], []),
        ([[1], [2], [3], 4], [[[4]]]),
    ],
)
def test_references_become_the_referenced_values(values: list[Any], plain: Any) -> None:
    assert from_devalue(values) == plain


def test_a_list_that_would_grow_too_much_is_not_expanded() -> None:
    doubling = [[place + 1, place + 1] for place in range(60)] + ["x"]
    long = [[1] * 100_000, "x" * 1_000]
    deep = [[place + 1] for place in range(5_000)] + ["x"]

    assert from_devalue(doubling) is doubling
    assert from_devalue(long) is long
    assert from_devalue(deep) is deep


def test_rows_are_joined_and_parsed() -> None:
    pushed = [
        [0],
        [1, '1:I["x",[]]\n2:{"product":{"name":"Em'],
        [1, 'ma"}}\n3:T6,é {"a4:["$","div",null,{"stock":12}]\n:HL["/x.css"]\n5:"te'],
        [1, 'xt"'],
        "other",
    ]

    assert next_rows(pushed) == {
        "2": {"product": {"name": "Emma"}},
        "3": 'é {"a',
        "4": ["$", "div", None, {"stock": 12}],
        "5": "text",
    }


def test_any_lists_are_converted_in_bounded_time() -> None:
    chance = random.Random(4)
    start = time.process_time()
    for _ in range(1_000):
        size = chance.randrange(1, 40)
        values = [
            chance.choice(
                [
                    [chance.randrange(-7, size + 1) for _ in range(3)],
                    {"a": chance.randrange(size), "b": chance.randrange(-7, size)},
                    ["Ref", chance.randrange(size)],
                    ["Map", 0],
                    "x",
                    None,
                ]
            )
            for _ in range(size)
        ]
        found = from_devalue(values)
        assert found is values or len(json.dumps(found)) < 50_000_000

    assert time.process_time() - start < 5
