"""Foreign names: names of other frameworks, and what to write instead.

Many people who write their first spider have used another framework before. Without
this module a name of that framework would be ignored, or would fail far from its cause.
With this module the name raises a one-line error that says what to write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import NoReturn, TypeVar

from crawler.errors.nearest_name import nearest_name

Owner = TypeVar("Owner")

_SETTINGS = 'settings = {"section": {"key": value}}'
_STATUSES = "statuses = [404] for callbacks, or an errback for one request"
_PACE = 'settings = {"politeness": {"rate": 0.5}} (requests a second for each host)'
_FOLLOW = "a RuleSpider with rules = [Rule(selector, callback=...)], or follow_links()"
_SITEMAP = "a SitemapSpider (crawler.SitemapSpider): sitemap_urls, rules, since"
_AUTH = "auth = (user, password), or an auth of httpx"

#: Attributes and methods that a spider class has in other frameworks, each with what
#: to write here instead.
SPIDER: Mapping[str, str] = {
    "allowed_domains": 'scope = "hosts" (the start URLs\' hosts), "site", or patterns',
    "allowed_urls": "scope = [patterns]",
    "concurrent_requests": 'settings = {"crawl": {"workers": 32}}',
    "cookies_enabled": "cookies = False",
    "default_headers": "headers = {...}",
    "default_request_headers": "headers = {...}",
    "crawl_config": _SETTINGS,
    "custom_settings": _SETTINGS,
    "deny_domains": "follow_links(deny=...)",
    "deny_extensions": 'settings = {"crawl": {"skip_extensions": [...]}}',
    "depth_limit": 'settings = {"crawl": {"depth": 3}}',
    "download_delay": _PACE,
    "download_maxsize": 'settings = {"http": {"max_body": "32 MiB"}}',
    "download_timeout": 'settings = {"http": {"total": "30s"}}',
    "from_crawler": "Arg(...) for arguments, start() for code that runs first",
    "handle_httpstatus_all": _STATUSES,
    "handle_httpstatus_list": _STATUSES,
    "http_auth_domain": _AUTH,
    "http_pass": _AUTH,
    "http_user": _AUTH,
    "item_pipelines": "pipelines = [...]",
    "make_requests_from_url": "async def start(self), which yields Requests",
    "max_concurrent_requests": 'settings = {"politeness": {"per_host": 4}}',
    "on_start": "async def start(self), which yields Requests",
    "parse_start_url": "parse(), which gets the start pages",
    "randomize_download_delay": _PACE,
    "redis_key": "start_urls, or start()",
    "robotstxt_obey": 'settings = {"politeness": {"robots": True}}',
    "rules": _FOLLOW,
    "sitemap_alternate_links": _SITEMAP,
    "sitemap_follow": _SITEMAP,
    "sitemap_rules": _SITEMAP,
    "sitemap_urls": _SITEMAP,
    "spider_closed": "async def closed(self, report)",
    "spider_idle": "start(), which continues when the crawl needs more requests",
    "spider_opened": "start(), before its first yield",
    "start_requests": "async def start(self), which yields Requests",
    "start_url": "start_urls = [...]",
    "update_settings": _SETTINGS,
    "user_agent": 'settings = {"crawl": {"user_agent": "name/1.0"}}',
}
#: Attributes that a response has in other frameworks, each with what to write here
#: instead.
RESPONSE: Mapping[str, str] = {
    "body": "response.content (bytes), or response.text",
    "body_as_unicode": "response.text",
    "cb_kwargs": "response.meta",
    "css_one": "response.css_first(selector)",
    "find": "response.css_first(selector)",
    "find_all": "response.css(selector)",
    "html": "response.text, or response.page",
    "json_response": "response.json()",
    "protocol": "response.http_version",
    "raw": "response.aiter_bytes(), with stream=True",
    "re": "re.findall(pattern, response.text)",
    "re_first": "re.search(pattern, response.text)",
    "select": "response.css(selector)",
    "select_one": "response.css_first(selector)",
    "soup": "response.css(selector)",
    "status": "response.status_code",
}
#: Attributes that the list of elements returned by css() has in other frameworks, each
#: with what to write here instead.
NODES: Mapping[str, str] = {
    "attr": "css_first(selector).attr(name)",
    "attrib": "[node.attrs for node in css(selector)]",
    "attrs": "[node.attrs for node in css(selector)]",
    "css": "css() of one element: [node.css(inner) for node in css(selector)]",
    "css_first": "css_first(selector) of the response",
    "eq": "css(selector)[number]",
    "extract": "[node.text() for node in css(selector)]",
    "extract_first": "text(selector, default=None)",
    "first": "css_first(selector)",
    "follow": "response.follow_all(selector)",
    "get": "text(selector, default=None), or css_first(selector).html",
    "get_attribute": "css_first(selector).attr(name)",
    "getall": "[node.text() for node in css(selector)]",
    "html": "[node.html for node in css(selector)]",
    "re": "[node.re(pattern) for node in css(selector)], or node.re(pattern, selector)",
    "re_first": "css_first(selector).re_first(pattern)",
    "text": "text(selector), or [node.text() for node in css(selector)]",
    "xpath": "css(selector), or response.xpath(query)",
}
#: Attributes that an element has in other frameworks, each with what to write here
#: instead.
NODE: Mapping[str, str] = {
    "attrib": "node.attr(name), or node.attrs",
    "attributes": "node.attrs",
    "extract": "node.text(), or node.html",
    "extract_first": "node.text(), or node.html",
    "find": "node.css_first(selector)",
    "find_all": "node.css(selector)",
    "get": "node.text(), node.attr(name) or node.html",
    "get_attribute": "node.attr(name)",
    "get_text": "node.text()",
    "getall": "node.text(), node.attr(name) or node.html",
    "inner_text": "node.text()",
    "next_sibling": "node.next (the element), or node.tail (the text)",
    "nextSibling": "node.next",
    "prev": "node.previous",
    "previous_sibling": "node.previous",
    "root": "node.lexbor",
    "select": "node.css(selector)",
    "select_one": "node.css_first(selector)",
    "text_content": "node.text()",
    "xpath": "node.css(selector), or response.xpath(query)",
}
#: Arguments that a Request, and the methods that create Requests, take in other
#: frameworks, each with what to write here instead.
ARGUMENTS: Mapping[str, str] = {
    "allow_redirects": "statuses of the spider, so that redirects reach callbacks",
    "auth": "client(), with the auth of httpx",
    "body": "content=, data= or json=",
    "cb_kwargs": "meta=, which comes back as response.meta",
    "clickdata": "data=",
    "cookiejar": "session=",
    "css": "the selector as the first argument",
    "dont_filter": "once=False",
    "encoding": "content= in bytes",
    "flags": "meta=",
    "formdata": "data=, or response.form(selector, fill={...}) for a form of a page",
    "kwargs": "meta=, which comes back as response.meta",
    "label": "callback=",
    "process_links": "a loop over response.links(...) that yields Requests",
    "process_request": "a loop over response.links(...) that yields Requests",
    "restrict_css": "follow_all(selector)",
    "restrict_xpaths": "follow_all(selector)",
    "unique_key": "once=False to send an equal request again",
    "user_data": "meta=",
    "verify": 'settings = {"http": {"verify": False}}',
    "xpath": "a CSS selector as the first argument",
}


class ForeignName:
    """An attribute that only other frameworks have. Reading the attribute raises an
    AttributeError that says what to write instead.

    This class is a descriptor, because a `__getattr__` method would slow down all other
    attributes of its class.
    """

    def __init__(self, instead: str) -> None:
        self._instead = instead
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AttributeError(
            f"{owner.__name__} has no attribute {self._name!r}; write {self._instead}",
            name=self._name,
            obj=instance,
        )


def refuses(table: Mapping[str, str]) -> Callable[[type[Owner]], type[Owner]]:
    """Return a class decorator that adds a ForeignName for each name in `table`, which
    maps names of other frameworks to what to write instead. An attribute that the class
    already has is not changed."""

    def add(owner: type[Owner]) -> type[Owner]:
        for name, instead in table.items():
            if not hasattr(owner, name):
                foreign = ForeignName(instead)
                foreign.__set_name__(owner, name)
                setattr(owner, name, foreign)
        return owner

    return add


def refuse_arguments(
    function: str, names: Collection[str], valid: Collection[str] = ()
) -> None:
    """Raise TypeError for the first of the unknown arguments `names`; do nothing if
    `names` is empty.

    The message says what to write instead: for a name of another framework the entry in
    ARGUMENTS, for any other name the most similar name in `valid`.
    """
    for name in names:
        near = nearest_name(name, valid)
        instead = ARGUMENTS.get(name) or (f"{near}=" if near else "")
        raise TypeError(
            f"{function} has no argument {name!r}"
            + (f"; write {instead} instead" if instead else "; remove the argument")
        )


# "::text" and "::attr(name)" of other frameworks, which are not CSS.
_PSEUDO = r"\s*::(text|attr\(\s*([^)]*?)\s*\))\s*(?=,|\Z)"


def instead_of_pseudo(selector: str) -> str:
    """Return the calls to write instead of a selector with `::text` or `::attr(name)`,
    such as `css("a").text()` instead of `css("a::text")`.

    Return "" if the selector has neither of them.
    """
    found = re.search(_PSEUDO, selector)
    if found is None:
        return ""
    plain = re.sub(_PSEUDO, "", selector).strip()
    shown = json.dumps(plain, ensure_ascii=False) if plain else ""
    name = (found[2] or "").strip("\"'")
    method, argument = ("attr", f'"{name}"') if name else ("text", "")
    first = f"{method}({', '.join(filter(None, (argument, shown)))})"
    if not plain:
        return first
    every = f"[node.{method}({argument}) for node in css({shown})]"
    return f"{first} for the first, {every} for all"
