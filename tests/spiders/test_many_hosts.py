"""The front pages of hosts that a file lists."""

from pathlib import Path

from crawler import Reason, crawl
from crawler.testing import FakeSite
from spiders.many_hosts import ManyHosts


def test_each_host_that_responds_is_an_item(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.txt"
    hosts.write_text(
        "https://a.example/\nhttps://b.example/\n\nhttps://dead.example/\n"
    )
    page = (
        "<html lang=en><title>A</title><a href=https://c.example/x>c</a><a href=/own>"
    )
    site = FakeSite(
        {
            "https://a.example/": (200, {"Server": "nginx"}, page),
            "https://b.example/": "<title>B</title>",
            "https://dead.example/": Reason.CONNECT_REFUSED,
        }
    )
    spider = type("Listed", (ManyHosts,), {"urls": hosts})

    report = crawl(spider, transport=site)

    first, second = sorted(report.items, key=lambda item: str(item["url"]))
    assert first == {
        "url": "https://a.example/",
        "title": "A",
        "language": "en",
        "server": "nginx",
        "leads_to": ["c.example"],
    }
    assert second["language"] == ""
    assert report.errors == {"connect_refused": 1}
