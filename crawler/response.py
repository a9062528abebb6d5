"""A response: a reply whose body can be read, and the links to follow.

Pure: the body is here already.
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
    """A link of a page with its element: what `response.link_elements` gives."""

    #: The absolute URL that it leads to.
    url: str
    #: The text of the element, as a person reads it.
    text: str
    #: The words of its `rel` attribute in lower case, such as "nofollow".
    rel: tuple[str, ...]
    node: Node


@refuses(RESPONSE)
class Response(Readable):
    """The answer of a server, under httpx's names: a head, a body, and a page.

    With `stream=True` a callback gets it before the body: use `aiter_bytes`,
    `aiter_lines` or `save` then, once; else `content`, `text`, `css` are at hand.
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
        """The page's links as absolute URLs, each once, in order.

        `tags` names elements ("img"), `attributes` theirs ("srcset", "data-src").
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
        """The links that `links` gives, with text, `rel` and element: each element is
        one, so that a URL may come more than once."""
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
        """The absolute URL that a reference means on this page, as a browser's
        `new URL(reference, document.baseURI)` gives it; FetchError if it is no URL.

        The `<base>` of the page is heeded. Other schemes and fragments are kept.
        """
        base, reference = self._against_base(reference)
        try:
            return urls.absolute(base, reference)
        except ValueError as exc:
            detail = f"urljoin({reference!r}): {exc}"
            raise FetchError(Reason.PARSE_ERROR, detail, url=self.url) from exc

    def _against_base(self, reference: str) -> tuple[str, str]:
        """What references are relative to, and a reference in the page's encoding."""
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
        """A request for a link of this page: a reference, or an element with one.

        Scope and depth judge it like any link; `Request` asks neither.
        """
        base, reference = self._against_base(
            target if isinstance(target, str) else _reference(target)
        )
        try:
            url = urls.join(base, reference)
        except urls.InvalidUrl as exc:
            raise ConfigError(f"follow({reference!r}) on {self.url}: {exc}") from exc
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
        """The request that a form of this page makes, as a browser would send it.

        `fill` gives fields their values, `extra` adds fields that the form lacks,
        `submit` is what is clicked: False for no button, None for the Enter key.
        Scope and depth do not judge it. FormError for what cannot be filled in.
        """
        # Few crawls have forms, and a form is much to import.
        from crawler.forms.form_request import form_request

        own = self.request.options
        options = {"session": own.session, "proxy": own.proxy} | options
        fill, extra = fill or {}, extra or {}
        return form_request(self.page, form, callback, fill, extra, submit, options)

    def extract(self, kind: type[T], where: str | Node | Iterable[Node]) -> list[T]:
        """An item of this class for each element that a selector matches, or for each
        of these elements.

        The fields say where they come from: `title: Annotated[str, css("h3")]`.
        ExtractError for a value that is not there, or does not fit.
        """
        from crawler.extraction.extract import (
            items_of,
        )  # most crawls make items by hand

        return items_of(self.page, self.urljoin, kind, where)

    def extract_one(self, kind: type[T], where: str | Node | None = None) -> T:
        """The item of this class that the page as a whole holds, or the first element
        that a selector matches, or this element; ExtractError."""
        from crawler.extraction.extract import item_of  # as above

        return item_of(self.page, self.urljoin, kind, where)

    def follow_all(
        self,
        selector: str,
        callback: str | Callable[..., Any] = "parse",
        **options: Unpack[LinkOptions],
    ) -> LinkBatch:
        """Every link that `selector` matches, or that lies inside what it matches."""
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
        """Every link of the page; `tags` and `attributes` say what is a link."""
        references = self.page.references(None, tags, attributes)
        return self._batch("follow_links", references, callback, options)

    def follow_urls(
        self,
        references: Sequence[str],
        callback: str | Callable[..., Any] = "parse",
        **options: Unpack[LinkOptions],
    ) -> LinkBatch:
        """Links that stand elsewhere than in a page's elements, such as in a sitemap or
        in JSON; relative ones are relative to this response. The body is not needed."""
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
    if not isinstance(node, Node):  # css_first found nothing, as a rule
        raise ConfigError(f"follow({node!r}): give it a URL or an element")
    own = LINK_ATTRIBUTES.get(node.tag, "href")
    for name in (own, "href", "src"):
        value = node.attr(name, default="")
        if value:
            return value
    raise ConfigError(f"follow(<{node.tag}>): the element has no {own}")
