"""Rules: which links a spider follows, and which callback receives their responses.

class Books(RuleSpider):
    name = "books"
    start_urls = ["https://books.example/"]
    rules = [
        Rule("nav a", follow=True),
        Rule("a.detail", callback="parse_book", deny="*/print/*"),
    ]

    async def parse_book(self, response: Response) -> Results:
        yield {"title": response.css("h1")[0].text()}
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crawler.errors import ConfigError
from crawler.link_batch import LinkBatch
from crawler.message.request_parts import name_of
from crawler.response import Response
from crawler.spider.base import Results, Spider
from crawler.web.urls import Pattern


@dataclass(frozen=True)
class Rule:
    """Selects some links, and says which callback receives their responses. For each
    link the first matching rule is used.

    `where` is a CSS selector in a RuleSpider, and a URL pattern as in `allow` in a
    SitemapSpider. In both, a compiled regular expression is searched in the URL.
    """

    where: str | re.Pattern[str] | None = None
    #: The method that receives the responses of the selected links. None: only the
    #: links in these responses are followed.
    callback: str | Callable[..., Any] | None = None
    #: Whether the spider's rules also apply to the links in the responses. By default
    #: they do if there is no callback.
    follow: bool | None = None
    allow: Iterable[Pattern] | Pattern | None = None
    deny: Iterable[Pattern] | Pattern | None = None
    priority: int = 0
    meta: Mapping[str, Any] | None = None

    @property
    def is_followed(self) -> bool:
        """Return whether the spider's rules also apply to the links in the responses of
        this rule's links."""
        return self.callback is None if self.follow is None else self.follow

    @property
    def callback_name(self) -> str:
        """Return the name of the rule's callback; "" if the rule has no callback."""
        if self.callback is None:
            return ""
        return self.callback if isinstance(self.callback, str) else _name(self.callback)


def _name(callback: Callable[..., Any]) -> str:
    # In the body of a class, where rules are written, a method is still a plain
    # function without `__self__`.
    return callback.__name__ if not hasattr(callback, "__self__") else name_of(callback)


class RuleSpider(Spider):
    """Follows the links that its `rules` select. Start pages need no callback.

    If a rule has a callback and `follow=True`, its responses go to the callback, and
    the rules apply to their links, too.
    """

    #: The rules, in the order in which they are tried on a link.
    rules: Sequence[Rule] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_rules(cls, cls.rules)
        for number, rule in enumerate(cls.rules):
            if rule.callback_name and rule.is_followed:
                # A request stores only the name of its callback. So the class gets a
                # method for this rule, which calls the callback and applies the rules.
                setattr(cls, _both(number), _callback_and_rules(rule.callback_name))

    async def parse(self, response: Response) -> Results:
        """Apply the rules to a start page, or to a page whose rule has no callback."""
        for batch in self.followed(response):
            yield batch

    def followed(self, response: Response) -> Iterable[LinkBatch]:
        """Return the links of a page that each rule selects, one batch for each
        rule."""
        for number, rule in enumerate(self.rules):
            callback = rule.callback_name or "parse"
            if rule.callback_name and rule.is_followed:
                callback = _both(number)
            if rule.callback_name or rule.is_followed:
                yield _batch(response, rule, callback)


def check_rules(spider: type[Spider], rules: Sequence[Rule]) -> None:
    """Raise ConfigError unless each of `rules` is a Rule whose callback is a method of
    the spider."""
    for rule in rules:
        if not isinstance(rule, Rule):
            name = spider.__name__
            raise ConfigError(
                f"{name}.rules contains {rule!r}, which is not a Rule; write Rule(...)"
            )
        name = rule.callback_name
        if name and not callable(getattr(spider, name, None)):
            raise ConfigError(
                f"{spider.__name__}.rules names the callback {name!r}, but the spider "
                "has no such method; define the method, or correct the name"
            )


def _batch(response: Response, rule: Rule, callback: str) -> LinkBatch:
    options: dict[str, Any] = {
        "allow": rule.allow,
        "deny": rule.deny,
        "priority": rule.priority,
        "meta": rule.meta,
    }
    if isinstance(rule.where, str):
        return response.follow_all(rule.where, callback, **options)
    if rule.where is None:
        return response.follow_links(callback, **options)
    return response.follow_urls(response.links(allow=rule.where), callback, **options)


def _both(number: int) -> str:
    return f"rule_{number}"


def _callback_and_rules(name: str) -> Callable[..., Any]:
    async def both(self: RuleSpider, response: Response) -> Results:
        async for value in _values(getattr(self, name)(response)):
            yield value
        for batch in self.followed(response):
            yield batch

    return both


async def _values(result: Any) -> AsyncIterator[Any]:
    """Yield the results of a callback from what its call has returned: an awaitable, a
    generator or an iterable."""
    if hasattr(result, "__await__"):
        result = await result
    if hasattr(result, "__aiter__"):
        async for value in result:
            yield value
    else:
        for value in result or ():
            yield value
