"""Layers between a visit and the wire: sessions, robots.txt, redirects, retry.

Your own layer takes a `Fetch` and is a `Fetch`; see protocol.py. `respond` makes the
response of a layer that answers without the network.
"""

from crawler.layers.made_response import respond
from crawler.layers.protocol import Fetch, Layer

__all__ = ["Fetch", "Layer", "respond"]
