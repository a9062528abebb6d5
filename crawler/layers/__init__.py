"""Layers around each request, between the crawl and the network: sessions, robots.txt,
redirects, retries.

Your own layer takes a `Fetch` and is itself a `Fetch`; see protocol.py. With `respond`
a layer can answer without the network.
"""

from crawler.layers.made_response import respond
from crawler.layers.protocol import Fetch, Layer

__all__ = ["Fetch", "Layer", "respond"]
