"""Every error that leaves the package, and the reasons a URL can end with.

    CrawlError
    ├── ConfigError            a setting, an argument or a spider is wrong: exit code 2
    │   └── OutputExists       an output would overwrite somebody else's file
    ├── StateError             the job's state cannot be used as it is: exit code 2
    │   ├── JobLocked          another process runs this job: exit code 5
    │   └── NoRun              there is no unfinished run that could be joined
    ├── LeaseLost              the shared run has given this process up: it joins anew
    ├── StoreError             the store could not write now, the disk being full, say
    ├── SinkError              an output could not be written
    ├── FetchError             an exchange failed; carries a Reason
    ├── SelectorError          a selector matched nothing, or is not CSS
    ├── FormError              a form cannot be filled in or sent as asked
    ├── ExtractError           a page does not have what a field of an item asks for
    ├── DropItem               raised by a pipeline: this item ends here
    └── raised by a spider's callback:
        ├── Retry              ask for this page again
        ├── Skip               this page is no page of ours
        └── StopCrawl          the whole crawl has enough

Rule: a message is one line that says what happened, where, and what to do.
"""

from __future__ import annotations

import math
from enum import StrEnum


class CrawlError(Exception):
    """The base of all errors of this package."""


class ConfigError(CrawlError):
    """A setting, an argument or a spider is wrong; the message says which."""


class OutputExists(ConfigError):
    """An output names a file that this job did not publish."""


class StateError(CrawlError):
    """The job's state cannot be used as it is; the message names the ways out."""


class JobLocked(StateError):
    """Another process is running this job."""


class NoRun(StateError):
    """The job has no unfinished run that a process could join."""


class LeaseLost(CrawlError):
    """The run, which other processes share, has given this one up: nothing landed."""


class StoreError(CrawlError):
    """The store could not be written or read; nothing landed, the same may be tried
    again."""


class SinkError(CrawlError):
    """An output could not be opened or written."""


class Blame(StrEnum):
    """Who failed, where a URL did not become a page."""

    #: The answer, the body, or what the page holds.
    PAGE = "page"
    #: The host as a whole: it does not answer, or not in time.
    HOST = "host"
    #: The way to the host: a proxy, the network, the resolver.
    WAY = "way"
    #: The user's code: a callback, a pipeline, a layer.
    CODE = "code"
    #: The crawler itself: a bug that should be reported.
    OURS = "ours"


class Reason(StrEnum):
    """Why a URL did not become a page: the same word in store, report and logs."""

    DNS_ERROR = "dns_error"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_ERROR = "tls_error"
    RESET = "reset"
    PROTO_ERROR = "proto_error"
    READ_TIMEOUT = "read_timeout"
    TOO_SLOW = "too_slow"
    DEADLINE = "deadline"
    HEADER_TOO_LARGE = "header_too_large"
    TOO_LARGE = "too_large"
    BOMB = "bomb"
    DECODE_ERROR = "decode_error"
    TRUNCATED = "truncated"
    REDIRECT_LIMIT = "redirect_limit"
    REDIRECT_INVALID = "redirect_invalid"
    BLOCKED_SCHEME = "blocked_scheme"
    BLOCKED_ADDRESS = "blocked_address"
    BLOCKED_PORT = "blocked_port"
    ROBOTS_DENIED = "robots_denied"
    ROBOTS_UNREACHABLE = "robots_unreachable"
    HTTP_STATUS = "http_status"
    UNWANTED_TYPE = "unwanted_type"
    PARSE_ERROR = "parse_error"
    FILE_ERROR = "file_error"
    OUTCOME_TOO_LARGE = "outcome_too_large"
    SPIDER_ERROR = "spider_error"
    PIPELINE_ERROR = "pipeline_error"
    LOGGED_OUT = "logged_out"
    LOGIN_FAILED = "login_failed"
    PROXY_ERROR = "proxy_error"
    INTERNAL_ERROR = "internal_error"

    @property
    def is_retried(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self in _RETRIED

    @property
    def blame(self) -> Blame:
        """Who failed, unless the error says otherwise."""
        return _BLAME.get(self, Blame.PAGE)

    @property
    def is_skip(self) -> bool:
        """Whether the URL was skipped on purpose rather than failed."""
        return self in _SKIPS


_BLAME = {
    Reason.DNS_ERROR: Blame.HOST,
    Reason.CONNECT_REFUSED: Blame.HOST,
    Reason.CONNECT_TIMEOUT: Blame.HOST,
    Reason.TLS_ERROR: Blame.HOST,
    Reason.RESET: Blame.HOST,
    Reason.READ_TIMEOUT: Blame.HOST,
    Reason.TOO_SLOW: Blame.HOST,
    Reason.DEADLINE: Blame.HOST,
    Reason.ROBOTS_UNREACHABLE: Blame.HOST,
    Reason.PROXY_ERROR: Blame.WAY,
    Reason.FILE_ERROR: Blame.CODE,
    Reason.LOGIN_FAILED: Blame.CODE,
    Reason.SPIDER_ERROR: Blame.CODE,
    Reason.PIPELINE_ERROR: Blame.CODE,
    Reason.INTERNAL_ERROR: Blame.OURS,
}
_RETRIED = frozenset(
    {
        Reason.DNS_ERROR,
        Reason.CONNECT_REFUSED,
        Reason.CONNECT_TIMEOUT,
        Reason.RESET,
        Reason.PROTO_ERROR,
        Reason.READ_TIMEOUT,
        Reason.TOO_SLOW,
        Reason.DEADLINE,
        Reason.TRUNCATED,
        Reason.PROXY_ERROR,
        Reason.LOGGED_OUT,
        Reason.LOGIN_FAILED,
    }
)
_SKIPS = frozenset({Reason.ROBOTS_DENIED, Reason.UNWANTED_TYPE})


class FetchError(CrawlError):
    """An exchange failed; `reason` is the word that the report counts, `blame` who
    failed. With `is_final` the same request will fail again, whatever its reason."""

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        url: str = "",
        blame: Blame | None = None,
        way: str = "",
        is_lasting: bool | None = None,
        is_free: bool = False,
        is_final: bool = False,
    ) -> None:
        super().__init__(f"{reason}: {detail}" + (f" ({url})" if url else ""))
        self.reason = reason
        self.detail = detail
        self.url = url
        self.blame = reason.blame if blame is None else blame
        #: The proxy by which the request went, as the request names it; "": none.
        self.way = way
        self.is_final = is_final

        #: Whether the next try will hardly go better, so that one more is enough.
        self.is_lasting = (
            reason is Reason.DNS_ERROR if is_lasting is None else is_lasting
        )
        #: Whether the try does not count, since no server has seen the request.
        self.is_free = is_free

    @property
    def is_retried(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self.reason.is_retried and not self.is_final


class SelectorError(CrawlError):
    """A selector matched nothing where the spider needs something."""

    def __init__(
        self, selector: str, url: str, detail: str = "matched nothing"
    ) -> None:
        super().__init__(f"{selector!r} {detail} on {url}")
        self.selector = selector
        self.url = url


class FormError(CrawlError):
    """A form cannot be filled in or sent as asked; the message says what could be."""

    def __init__(self, detail: str, url: str) -> None:
        super().__init__(f"form on {url}: {detail}")
        self.detail = detail
        self.url = url


class ExtractError(CrawlError):
    """A value of a page does not fit the field of an item, or is not there."""

    def __init__(
        self,
        message: str,
        *,
        url: str,
        field: str = "",
        text: str = "",
        selector: str = "",
    ) -> None:
        super().__init__(message)
        self.url = url
        self.field = field
        self.text = text
        self.selector = selector


class DropItem(CrawlError):
    """Raised by a pipeline: the item ends here, counted under `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Retry(CrawlError):
    """Raised by a callback: ask for this page again, `after` so many seconds.

    `raise Retry("captcha", after=30, session="second")`. What the callback yielded is
    discarded, and the try counts under `reason`. Tries are bounded by `[retry]`, or by
    the spider's `stop`; after the last one the page fails under `reason`. Without
    `after` the pause is that of other retries. `session` names the session of the next
    tries.
    """

    def __init__(
        self, reason: str, *, after: float | None = None, session: str | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = own_word("Retry", reason)
        if after is not None and not (math.isfinite(after) and after >= 0):
            raise ConfigError(f"Retry(after={after!r}): give a number of seconds")
        self.after = after
        self.session = session


class Skip(CrawlError):
    """Raised by a callback: this page is skipped, and counts under `reason`.

    `raise Skip("sold out")`. What the callback yielded is discarded.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = own_word("Skip", reason)


class StopCrawl(CrawlError):
    """Raised by a callback or `start()`: the crawl has enough, and ends in order.

    `raise StopCrawl("quota")`. What was yielded before lands; requests in flight have
    `crawl.grace` seconds; the run is complete, with `reason` in its summary.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = own_word("StopCrawl", reason)


def own_word(what: str, word: str) -> str:
    """A word of a spider's own to count by: one short line; ConfigError."""
    if not isinstance(word, str) or not word.strip():
        raise ConfigError(f"{what}({word!r}): give a short reason, such as 'captcha'")
    return " ".join(word.split())[:MAX_WORD]


#: Characters of a spider's own reasons and counters that are kept.
MAX_WORD = 100
