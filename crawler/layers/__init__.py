"""What stands between a visit and the wire: sessions, robots.txt, redirects, retry.

A layer of your own takes a `Fetch` and is one; see fetch.py. `respond` makes a response
for a layer that answers without the wire.
"""

from crawler.layers.fetch import Fetch, Layer
from crawler.layers.respond import respond

__all__ = ["Fetch", "Layer", "respond"]
