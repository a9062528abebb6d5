"""What stands between a visit and the wire: sessions, robots.txt, redirects, retry.

A layer of your own takes a `Fetch` and is one; see protocol.py. `respond` makes a
response for a layer that answers without the wire.
"""

from crawler.layers.made_response import respond
from crawler.layers.protocol import Fetch, Layer

__all__ = ["Fetch", "Layer", "respond"]
