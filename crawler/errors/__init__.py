"""All errors that this package raises, and the reasons why a URL failed or was skipped.

    CrawlError
    ├── ConfigError            a setting, an argument or a spider is wrong: exit code 2
    │   └── OutputExists       an output would overwrite a file that is not its own
    ├── StateError             the job's stored state cannot be used: exit code 2
    │   ├── JobLocked          another process runs this job: exit code 5
    │   ├── NoRun              the job has no unfinished run to join
    │   └── StoreAway          the store cannot be opened now; try again later
    ├── LeaseLost              other processes of a shared run took over this process's
    │                          work
    ├── StoreError             the store could not be read or written (a full disk)
    ├── SinkError              an output could not be written
    ├── FetchError             a request failed, or its response was refused
    ├── SelectorError          a selector matched nothing, or is not valid CSS
    ├── FormError              a form cannot be filled in or sent as requested
    ├── ExtractError           a page does not have a value that an item's field needs
    ├── DropItem               raised by a pipeline: drop this item
    └── raised by a spider's callback:
        ├── Retry              request this page again
        ├── Skip               skip this page
        └── StopCrawl          end the whole crawl

Rule: a message is one line that says what happened, where, and what to do.
"""

from __future__ import annotations

import math
from enum import StrEnum


class CrawlError(Exception):
    """The base class of all errors that this package raises."""


class ConfigError(CrawlError):
    """A setting, an argument or a spider is wrong; the message says which."""


class OutputExists(ConfigError):
    """An output would overwrite an existing file that this job did not write."""


class StateError(CrawlError):
    """The job's stored state cannot be used; the message says what can be done."""


class JobLocked(StateError):
    """Another process is running this job."""


class NoRun(StateError):
    """The job has no unfinished run that a process could join.

    `last` has the number of the job's last run, and why that run ended.
    """

    def __init__(self, message: str, last: tuple[int, str] | None = None) -> None:
        super().__init__(message)
        self.last = last


class StoreAway(StateError):
    """The store cannot be opened now; a later try may succeed."""


class LeaseLost(CrawlError):
    """This process may no longer work on a run that several processes share.

    The other processes have taken over its work, or the database has lost some of
    this process's commits. The current transaction was rolled back.
    """


class StoreError(CrawlError):
    """The store could not be written or read. Nothing was committed, so the same
    operation may be tried again."""


class SinkError(CrawlError):
    """An output could not be opened or written."""


class Blame(StrEnum):
    """What caused the failure of a URL: the page, the host, the way to the host, the
    user's code, or the crawler itself."""

    #: The failure is caused by the response: its status, its body, or its content.
    PAGE = "page"
    #: The failure is caused by the host, which cannot be reached, or does not respond
    #: in time.
    HOST = "host"
    #: The failure is caused by the way to the host: a proxy, the network, the DNS
    #: resolver.
    WAY = "way"
    #: The failure is caused by the user's code: a callback, a pipeline, a layer.
    CODE = "code"
    #: The failure is caused by the crawler itself: a bug that should be reported.
    OURS = "ours"


class Reason(StrEnum):
    """Why a URL failed or was skipped: one word, the same in the store, the report and
    the logs.

    docs/errors.md explains each reason.
    """

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
        """Whether a request that failed for this reason is sent again, because it may
        succeed a little later."""
        return self in _RETRIED

    @property
    def blame(self) -> Blame:
        """What usually causes failures with this reason; a FetchError may name another
        cause."""
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
    """A request failed, or its response was refused.

    The report counts the failure under `reason`; `blame` says what caused it. If
    `is_final`, the same request would fail again, whatever the reason.
    """

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
        #: The proxy of the request: a URL, or "tag:NAME" for a proxy in [proxies] with
        #: this tag; "" without a proxy.
        self.way = way
        self.is_final = is_final

        #: Whether a retry will probably fail, too, so that only one retry is made.
        self.is_lasting = (
            reason is Reason.DNS_ERROR if is_lasting is None else is_lasting
        )
        #: Whether the failed try does not count as one of `retry.attempts`, because no
        #: server has received the request.
        self.is_free = is_free

    @property
    def is_retried(self) -> bool:
        """Whether the failed request is sent again, because it may succeed a little
        later."""
        return self.reason.is_retried and not self.is_final


class SelectorError(CrawlError):
    """A selector matched nothing although the spider needs a match."""

    def __init__(
        self, selector: str, url: str, detail: str = "matched nothing"
    ) -> None:
        super().__init__(f"{selector!r} {detail} on {url}")
        self.selector = selector
        self.url = url


class FormError(CrawlError):
    """A form cannot be filled in or sent as requested; the message says what is
    possible."""

    def __init__(self, detail: str, url: str) -> None:
        super().__init__(f"form on {url}: {detail}")
        self.detail = detail
        self.url = url


class ExtractError(CrawlError):
    """A value for an item's field is missing on the page, or has the wrong type."""

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
    """Raised by a pipeline: the item is dropped and counted under `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Retry(CrawlError):
    """Raised by a callback: request this page again, after `after` seconds.

        raise Retry("captcha", after=30, session="second")

    The results of the callback for this page are discarded, and the try is counted
    under `reason`. The settings [retry], or the spider's `stop`, limit the tries; after
    the last try the page fails with `reason`. Without `after`, the pause is the same as
    for other retries. `session` is the name of the session for the next tries.
    """

    def __init__(
        self, reason: str, *, after: float | None = None, session: str | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = own_word("Retry", reason)
        if after is not None and not (math.isfinite(after) and after >= 0):
            raise ConfigError(
                f"Retry(after={after!r}): `after` must be a number of seconds, "
                "0 or more"
            )
        self.after = after
        self.session = session


class Skip(CrawlError):
    """Raised by a callback: skip this page, and count it under `reason`.

    `raise Skip("sold out")`. What the callback has yielded for the page is discarded.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = own_word("Skip", reason)


class StopCrawl(CrawlError):
    """Raised by a callback or `start()`: end the whole run early, but cleanly.

    `raise StopCrawl("quota")`. What the callback has already yielded is committed.
    Pages in flight have `crawl.grace` seconds to finish. The run counts as complete;
    its summary has `reason` as `stop_reason`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = own_word("StopCrawl", reason)


def own_word(what: str, word: str) -> str:
    """Return `word`, a reason or counter name that a spider has chosen, as one line of
    at most MAX_WORD characters.

    `what` is the call that got the word, such as "Skip", for the message. Raises
    ConfigError if `word` is not text or is empty.
    """
    if not isinstance(word, str) or not word.strip():
        raise ConfigError(
            f"{what}({word!r}): the first argument must be a short text, such as "
            "'captcha'"
        )
    return " ".join(word.split())[:MAX_WORD]


#: Maximum length in characters of a reason or counter name that a spider has chosen;
#: the end of a longer name is cut off.
MAX_WORD = 100
