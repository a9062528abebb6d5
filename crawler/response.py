"""Response: a server's response with its parsed page and its links, as a callback
receives it.

No I/O: the methods of this module need a body that has arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar, Unpack

import msgspec

from crawler.errors import ConfigError, FetchError, Reason
from crawler.errors.foreign_names import RESPONSE, refuses
from crawler.link_batch import LinkBatch, LinkOptions, batch_of, is_wanted, patterns
from crawler.page.node import Node
from crawler.page.readable import Readable
from crawler.request import LinkRequest, Request
from crawler.web import encoding as encodings
from crawler.web import urls
from crawler.web.links import Resolver
from crawler.web.references import LINK_ATTRIBUTES, Names
from crawler.web.urls import Pattern

T = TypeVar("T")


class LinkElement(msgspec.Struct, frozen=True):
    """A link of a page with its element, from `response.link_elements`."""

    #: The absolute URL of the link.
    url: str
    #: The visible text of the element.
    text: str
    #: The words of the element's `rel` attribute in lower case, such as "nofollow".
    rel: tuple[str, ...]
    #: The element itself.
    node: Node


@refuses(RESPONSE)
class Response(Readable):
    """A server's response with httpx's names: a head, a body, and a parsed page.

    `content`, `text` and `css` read the body. If the request has `stream=True`, the
    callback runs before the body has arrived; then read the body once, with
    `aiter_bytes`, `aiter_lines` or `save`.
    """

    __slots__ = ()

    def links(
        self,
        selector: str | None = None,
        *,
        allow: Iterable[Pattern] | Pattern | None = None,
        deny: Iterable[Pattern] | Pattern | None = None,
        tags: Names = None,
        attributes: Names = None,
    ) -> list[str]:
        """Return the page's links as absolute URLs, each once, in order.

        With `selector` only links that match it, or are inside a match, are returned.
        `allow` and `deny` are URL patterns: a link must match `allow`, unless `allow`
        is empty, and must not match `deny`.
        `tags` names the elements to search ("img"), `attributes` their attributes
        ("srcset", "data-src").
        """
        page = self.page
        references = page.references(selector, tags, attributes)
        links = Resolver().resolve_all(page.base_url, references)
        wanted, unwanted = patterns(allow), patterns(deny)
        return [link.url for link in links if is_wanted(link.url, wanted, unwanted)]

    def link_elements(
        self,
        selector: str | None = None,
        *,
        allow: Iterable[Pattern] | Pattern | None = None,
        deny: Iterable[Pattern] | Pattern | None = None,
        tags: Names = None,
        attributes: Names = None,
    ) -> list[LinkElement]:
        """Return the page's links with their text, `rel` and element, in order.

        The arguments are those of `links`. There is one link for each element, so a URL
        may appear more than once.
        """
        page = self.page
        wanted, unwanted = patterns(allow), patterns(deny)
        resolver = Resolver()
        base = page.base_url
        found = []
        for reference, node in page.link_elements(selector, tags, attributes):
            link = resolver.resolve(base, reference)
            if link is not None and is_wanted(link.url, wanted, unwanted):
                rel = tuple(node.attr("rel", default="").lower().split())
                found.append(LinkElement(link.url, node.text(), rel, node))
        return found

    def urljoin(self, reference: str) -> str:
        """Return the absolute URL of a reference on this page, like a browser's `new
        URL(reference, document.baseURI)`.

        The page's `<base>` is used. Fragments, and schemes other than HTTP, are kept.
        Raise FetchError if the reference is not a valid URL.
        """
        base, reference = self._against_base(reference)
        try:
            return urls.absolute(base, reference)
        except ValueError as exc:
            detail = f"urljoin({reference!r}): {exc}"
            raise FetchError(Reason.PARSE_ERROR, detail, url=self.url) from exc

    def _against_base(self, reference: str) -> tuple[str, str]:
        """Return the page's base URL, and the reference with its query in the page's
        encoding, as browsers send it."""
        if not self._is_html or not self._content:
            return self.url, reference
        if self.encoding != "utf-8":
            reference = encodings.encode_query(reference, self.encoding)
        return self.page.base_url, reference

    def follow(
        self,
        target: str | Node,
        callback: str | Callable[..., Any] = "parse",
        **options: Any,
    ) -> Request:
        """Return a request for a link of this page: a URL, or an element with a link.

        `options` are arguments of `Request`. A relative URL is resolved against the
        page. The spider's `scope` (which URLs it may crawl) and `crawl.depth` apply to
        the link; they do not apply to a plain `Request`. Raise ConfigError if there is
        no valid URL.
        """
        base, reference = self._against_base(
            target if isinstance(target, str) else _reference(target)
        )
        try:
            url = urls.join(base, reference)
        except urls.InvalidUrl as exc:
            raise ConfigError(
                f"follow({reference!r}) on {self.url} cannot make a request: {exc}"
            ) from exc
        options.setdefault("session", self.request.options.session)
        options.setdefault("proxy", self.request.options.proxy)
        return LinkRequest(url, callback, **options)

    def form(
        self,
        form: str | Node = "form",
        *,
        fill: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        submit: str | Node | Literal[False] | None = None,
        callback: str | Callable[..., Any] = "parse",
        **options: Any,
    ) -> Request:
        """Return the request that a browser would send for a form of this page.

        `form` is an element, or a selector whose first match is the form. `fill` sets
        the values of fields by name. `extra` adds fields that the form does not have.
        `submit` is the button to click; False: no button; None: the button that the
        Enter key would click. `options` are arguments of `Request`. The spider's
        `scope` (which URLs it may crawl) and `crawl.depth` do not apply. Raise
        FormError if the form cannot be filled in this way.
        """
        # Imported here because it is slow to import and few crawls use forms.
        from crawler.forms.form_request import form_request

        own = self.request.options
        options = {"session": own.session, "proxy": own.proxy} | options
        fill, extra = fill or {}, extra or {}
        return form_request(self.page, form, callback, fill, extra, submit, options)

    def extract(self, kind: type[T], where: str | Node | Iterable[Node]) -> list[T]:
        """Return one item of class `kind` for each element of `where`, in order.

        `where` is a selector, an element, or several elements. The fields of `kind` say
        where their values are: `title: Annotated[str, css("h3")]`. Raise ExtractError
        if a required value is missing, or has the wrong type.
        """
        from crawler.extraction.extract import (
            items_of,
        )  # imported here because most crawls do not use it

        return items_of(self.page, self.urljoin, kind, where)

    def extract_one(self, kind: type[T], where: str | Node | None = None) -> T:
        """Return one item of class `kind` from the element `where`; None: the whole
        page.

        If `where` is a selector, its first match is used; SelectorError if there is
        none. Raise ExtractError if a required value is missing, or has the wrong type.
        """
        # imported here because most crawls do not use it
        from crawler.extraction.extract import item_of

        return item_of(self.page, self.urljoin, kind, where)

    def follow_all(
        self,
        selector: str,
        callback: str | Callable[..., Any] = "parse",
        **options: Unpack[LinkOptions],
    ) -> LinkBatch:
        """Return the links that `selector` matches, or that are inside a match, as one
        batch to yield.

        `options` are those of `LinkOptions`: `allow`, `deny`, `priority` and so on.
        """
        references = self.page.references(selector)
        return self._batch("follow_all", references, callback, options)

    def follow_links(
        self,
        callback: str | Callable[..., Any] = "parse",
        *,
        tags: Names = None,
        attributes: Names = None,
        **options: Unpack[LinkOptions],
    ) -> LinkBatch:
        """Return all links of the page, as one batch to yield.

        `tags` names the elements to search ("img"), `attributes` their attributes
        ("srcset", "data-src"). `options` are those of `follow_all`.
        """
        references = self.page.references(None, tags, attributes)
        return self._batch("follow_links", references, callback, options)

    def follow_urls(
        self,
        references: Sequence[str],
        callback: str | Callable[..., Any] = "parse",
        **options: Unpack[LinkOptions],
    ) -> LinkBatch:
        """Return links that are not elements of a page, such as URLs in JSON, as one
        batch to yield.

        Relative references are resolved against the URL of this response. The body is
        not read. `options` are those of `follow_all`.
        """
        own = self.request.options
        return batch_of("follow_urls", own, self.url, references, callback, options)

    def _batch(
        self,
        function: str,
        references: Sequence[str],
        callback: str | Callable[..., Any],
        options: LinkOptions,
    ) -> LinkBatch:
        own, base_url = self.request.options, self.page.base_url
        return batch_of(function, own, base_url, references, callback, options)

    def __repr__(self) -> str:
        return f"<Response {self.status_code} {self.url}>"


def _reference(node: Node) -> str:
    # If `node` is no element, it is usually None, because css_first() found nothing.
    if not isinstance(node, Node):
        raise ConfigError(
            f"follow({node!r}): the argument is neither a URL nor an element; "
            "css_first() returns None if nothing matches"
        )
    own = LINK_ATTRIBUTES.get(node.tag, "href")
    for name in (own, "href", "src"):
        value = node.attr(name, default="")
        if value:
            return value
    raise ConfigError(
        f"follow(<{node.tag}>): the element has no {own}; give an element with a link"
    )
