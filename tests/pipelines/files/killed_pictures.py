"""A crawl whose items name pictures, to be killed, and to go on where it was.

`python -m tests.pipelines.files.killed_pictures FOLDER`: each page names ten pictures.
Stdout has a line for each picture that the site was asked for.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpx

from crawler import Images, Response, Results, Spider, crawl
from crawler.settings import Layer, build
from crawler.testing import Answer, FakeSite
from tests.pipelines.files.drawn import drawn

HOME = "https://pictures.example/"
PAGES, PER_PAGE = 12, 10


def size_of(number: int) -> tuple[int, int]:
    return 40 + number, 30


def picture(number: int) -> bytes:
    return drawn("PNG", size_of(number))


class Killed(Spider):
    name = "killed"
    start_urls = [HOME]

    async def parse(self, response: Response) -> Results:
        for link in response.css("i"):
            yield {"number": int(link.text()), "image": f"/{link.text()}.png"}
        yield response.follow_all("a")


def show(request: httpx.Request) -> Answer:
    sys.stdout.write(f"{request.url.path}\n")
    sys.stdout.flush()
    number = int(request.url.path.strip("/").removesuffix(".png"))
    return 200, {"ETag": f'"{number}"'}, picture(number)


def pages() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for page in range(PAGES):
        numbers = range(page * PER_PAGE, (page + 1) * PER_PAGE)
        found[f"{HOME}page/{page}"] = "".join(f"<i>{number}</i>" for number in numbers)
        found.update({f"{HOME}{number}.png": show for number in numbers})
    links = "".join(f"<a href=/page/{page}>" for page in range(PAGES))
    return {HOME: links, **found}


if __name__ == "__main__":
    root = Path(sys.argv[1])
    images = Images("image", folder=root / "f", thumbs={"s": (16, 16)}, format="webp")
    crawl(
        type("KilledInFolder", (Killed,), {"pipelines": [images]}),
        job="killed",
        settings=build([Layer("test", {"storage": {"dir": str(root / "state")}})]),
        transport=FakeSite(pages()),
        outputs=str(root / "out.jsonl"),
    )
