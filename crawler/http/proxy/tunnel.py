"""Opens a tunnel through an HTTP or a SOCKS5 proxy.

The dialogue with the proxy ends before the first byte for the target is sent.
"""

from crawler.http.proxy import http_connect
from crawler.http.proxy.server import ProxyServer
from crawler.http.proxy.wire import ProxyWire
from crawler.settings import has_socks

if has_socks():
    from crawler.http.proxy import socks5

__all__ = ["open_tunnel"]


async def open_tunnel(
    wire: ProxyWire, proxy: ProxyServer, host: str, port: int
) -> bool:
    """Ask the proxy to connect to the target.

    Raises ConnectionError, or a ProxyError whose message begins with "The proxy"; the
    caller adds the proxy's URL. Returns True if the response announced a body, which a
    tunnel cannot have.
    """
    if proxy.is_socks:
        await socks5.connect(wire, proxy, host, port)
        return False
    return await http_connect.connect(wire, proxy, host, port)
