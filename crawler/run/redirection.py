"""Handles redirects: the target replaces the redirected request in the frontier (the
queue of the crawl).

A cookie wall redirects back to a URL of the same redirect chain on the same origin: the
server has set a cookie and expects the same request again. If another request to the
host may be sent now, the visitor repeats the request at once. Otherwise the target is
queued like any other redirect target.
"""

from __future__ import annotations

from collections.abc import Iterable

from crawler.errors import FetchError, Reason
from crawler.layers import redirects
from crawler.request import Request
from crawler.response import Response
from crawler.run.link_filter import Discovered, LinkFilter, identity_behind
from crawler.run.visit import OpenVisit
from crawler.store.base import Outcome, State
from crawler.web import urls
from crawler.web.refresh import MAX_DELAY, has_word, refresh_target

#: Status of the redirect as which a Refresh header is handled: the target is requested
#: with GET.
_SEE_OTHER = 303


class Redirection:
    """Checks redirect targets with the same filters as links."""

    def __init__(
        self,
        link_filter: LinkFilter,
        walls: Iterable[str],
        *,
        max_refresh: float = MAX_DELAY,
    ) -> None:
        self._filter = link_filter
        self._walls = set(walls)
        self._max_refresh = max_refresh

    def target(self, request: Request, response: Response) -> Request:
        """Return the request for a redirect's target. Raise FetchError if the redirect
        has no valid target."""
        location = redirects.location_of(response)
        return redirects.target(request, response.status_code, location)

    def refresh(self, request: Request, response: Response) -> Request | None:
        """Return the request that a page's Refresh header or `<meta>` element asks for.

        None if the page has neither, or if its delay is too long.
        """
        if request.options.stream:
            return None
        header = response.head.value(b"refresh")
        if header is None and not has_word(response.content):
            return None
        is_good = 200 <= response.status_code <= 299
        if not (is_good and request.options.follow_redirects and self._max_refresh):
            return None
        is_html = "html" in response.content_type
        markup = response.page.markup if is_html else b""
        url = refresh_target(
            response.url,
            header,
            markup,
            lambda: response.page.base_url,
            max_delay=self._max_refresh,
        )
        return None if url is None else redirects.target(request, _SEE_OTHER, url)

    def leads_back(self, visit: OpenVisit, target: Request) -> bool:
        """Return whether the target is an earlier URL of this redirect chain, on the
        same origin."""
        entry = visit.entry
        identity = identity_behind(entry, target, self._filter.form)
        if identity != entry.fingerprint and identity not in entry.chain:
            return False
        if urls.origin_of(target.url) != urls.origin_of(entry.url):
            return False
        if identity != entry.fingerprint and entry.url not in self._walls:
            self._walls.add(entry.url)
            visit.wall = entry.url
        return True

    def is_wall(self, visit: OpenVisit, target: Request) -> bool:
        """Return whether the redirect leads to a URL that is known as a cookie wall (a
        page that sets a cookie and redirects back)."""
        return target.url in self._walls and target.url != visit.entry.url

    def outcome(self, visit: OpenVisit, target: Request, response: Response) -> Outcome:
        """Return the outcome (the result) of a redirect: the redirected request ends,
        and a request for the target is added. Raise FetchError if the redirect may not
        be followed."""
        entry = visit.entry
        if entry.redirects >= redirects.LIMIT:
            detail = f"the request was redirected over {redirects.LIMIT} times"
            raise FetchError(Reason.REDIRECT_LIMIT, detail, url=entry.url)
        visit.note(response)
        identity = identity_behind(entry, target, self._filter.form)
        # the redirect leads to the same URL: send the same request again later
        if identity == entry.fingerprint:
            entry.redirects += 1
            return visit.outcome(State.PENDING)
        # the target is an earlier URL of the redirect chain: request it again as a
        # separate entry of the queue
        if identity in entry.chain:
            name = f"{entry.fingerprint}:{entry.redirects}"
            ordinal = urls.fingerprint("ordinal", name)
            identity = target.fingerprint(ordinal, self._filter.form)
        found = Discovered()
        self._filter.redirect(entry, target, identity, found)
        outcome = visit.outcome(State.REDIRECTED, detail=target.url, facts=found.facts)
        outcome.requests, outcome.rejected = found.requests, found.rejected
        return outcome
