"""The bookshop served over HTTP/2, with a certificate that clients verify."""

import socket
import ssl
from functools import partial
from urllib.parse import urlsplit

import anyio
import httpx
import pytest

from crawler import FetchError, Reason, Settings, crawl, fetch
from crawler.demo import Books, Shop
from crawler.demo.server import RunningShop, serving
from crawler.demo.shop import ShopPage
from crawler.settings import HttpSettings


def test_the_whole_shop_is_crawled_over_one_http2_connection() -> None:
    with serving(Shop()) as shop:
        settings = Settings(http=HttpSettings(ca_file=str(shop.ca_file)))
        report = crawl(Books, settings, shop=shop.url)

    assert len(report.items) == 200
    assert list(report.http_versions) == ["HTTP/2"]
    assert report.connections == 1


def test_other_programs_do_not_trust_its_certificate() -> None:
    with serving(Shop()) as shop, pytest.raises(FetchError) as failure:
        anyio.run(partial(fetch, shop.url, private=True))

    assert failure.value.reason is Reason.TLS_ERROR


def test_the_port_is_free_after_the_shop_has_closed() -> None:
    with serving(Shop()) as shop, client_of(shop) as client:
        address = urlsplit(shop.url)
        assert client.get(f"{shop.url}about").is_success

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((str(address.hostname), int(address.port or 0)))


def test_the_shop_can_be_closed_during_a_response() -> None:
    shop = Shop()
    shop.pages["/slow"] = ShopPage("late", delay=600)

    with (
        serving(shop) as running,
        client_of(running) as client,
        pytest.raises(httpx.ReadTimeout),
    ):
        client.get(f"{running.url}slow", timeout=0.2)


def client_of(shop: RunningShop) -> httpx.Client:
    """Not ours: one that keeps its connections open while the shop closes."""
    return httpx.Client(verify=ssl.create_default_context(cafile=str(shop.ca_file)))
