"""The deepest page of a crawl, and the URL parameter that grows: signs of a spider
trap."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

#: The depth at which a warning begins; normal links rarely lead this deep.
ALARM_DEPTH = 50


class Descent:
    """Keeps the depth and URL of the deepest page so far, and the URL of the previous
    deepest page."""

    def __init__(self) -> None:
        self.depth = 0
        self._url = self._before = ""

    def note(self, depth: int, url: str) -> None:
        """Record a page that is deeper than all earlier pages."""
        self.depth, self._before, self._url = depth, self._url, url

    @property
    def alarm(self) -> str:
        """A warning such as `depth 13,990 by ?n=`: the depth, and the part of the URL
        that changes; "" while the crawl is not deep."""
        if self.depth < ALARM_DEPTH:
            return ""
        return f"depth {self.depth:,} by {_changed(self._before, self._url)}"


def _changed(before: str, now: str) -> str:
    """Return the part of a URL that differs from the previous URL: a parameter such as
    `?n=`, else the path."""
    then, parts = urlsplit(before), urlsplit(now)
    known = parse_qsl(then.query, keep_blank_values=True)
    for pair in parse_qsl(parts.query, keep_blank_values=True):
        if pair not in known:
            return f"?{pair[0]}="
    if parts.path == then.path or then.path == "/":
        return f"{parts.netloc}{parts.path[:40]}"
    same = 0
    for old, new in zip(then.path, parts.path, strict=False):
        if old != new:
            break
        same += 1
    return f"{parts.path[:same].rpartition('/')[0][:40]}/..."
