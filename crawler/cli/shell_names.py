"""The names that are defined in `crawl shell`: `response`, `fetch`, `view`, ..."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import webbrowser
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from crawler.cli.requested import checked
from crawler.cli.running import run_in_loop
from crawler.cli.streams import clean_lines
from crawler.cli.tried_code import code_of
from crawler.page import Page
from crawler.request import Request
from crawler.response import Response
from crawler.spider import Spider
from crawler.web.multipart import ending_of
from crawler.web.urls import host_of

if TYPE_CHECKING:
    from crawler.cli.pages import Ask

_HEAD = re.compile(r"<head(?:\s[^>]*)?>", re.I)
_DOCTYPE = re.compile(r"\s*<!doctype[^>]*>", re.I)


class ShellNames:
    """The names that one shell defines. `response` is always the latest page."""

    def __init__(self, ask: Ask, spider: Spider | None) -> None:
        self._ask = ask
        self._pages: list[Page] = []
        self.names: dict[str, Any] = {
            "fetch": self.fetch,
            "view": self.view,
            "tried": self.tried,
            "Request": Request,
        }
        if spider is not None:
            self.names["spider"] = spider

    def fetch(self, url: str | Request, **options: Any) -> Response:
        """Fetch a URL or a Request; `options` are those of Request.

        The page becomes the new `response`. Raise FetchError if it cannot be fetched.
        """
        if isinstance(url, Request):
            return self.take(url.replace(**options) if options else url)
        return self.take(Request(checked(url), **options))

    def take(self, request: Request) -> Response:
        """Fetch a page and make it the new `response`.

        Raise FetchError if the page cannot be fetched.
        """
        response = run_in_loop(partial(self._ask, request))
        self._pages.append(response.page)
        self.names["response"], self.names["css"] = response, response.css
        return response

    def view(self) -> str:
        """Write the page to a file, and open the file in a browser if there is one.

        Return the path of the file. Links and images work, because a <base> tag gives
        the original URL.
        """
        response: Response = self.names["response"]
        path = written(response, Path(tempfile.mkdtemp(prefix="crawl-view-")))
        if _has_browser():
            webbrowser.open(path.as_uri())
        return str(path)

    def tried(self, file: TextIO | None = None) -> None:
        """Print the selectors tried so far, as lines of code for a spider."""
        lines = code_of(self._pages)
        if lines:
            text = clean_lines("\n".join(lines))
            print(f"Tried, as code to paste:\n\n{text}", file=file)


def written(response: Response, folder: Path) -> Path:
    """Write the body to a file in `folder`, and return the path of the file.

    A <base> tag with the original URL is added to an HTML page.
    """
    stem = re.sub(r"[^A-Za-z0-9.-]+", "-", host_of(response.url))[:80]
    if "html" not in response.content_type:
        path = folder / f"{stem}{ending_of(response.content_type)}"
        path.write_bytes(response.content)
        return path
    path = folder / f"{stem}.html"
    path.write_text(_with_base(response), encoding="utf-8", errors="replace")
    return path


def _with_base(response: Response) -> str:
    """Return the text of an HTML page with a <base> tag, and UTF-8 as its encoding."""
    source = response.text
    base = f'<meta charset="utf-8"><base href="{escape(response.page.base_url)}">'
    place = _HEAD.search(source) or _DOCTYPE.match(source)
    at = place.end() if place else 0
    return f"{source[:at]}{base}{source[at:]}"


def _has_browser() -> bool:
    """Return whether there is a browser that does not run inside the terminal."""
    named = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, named))
