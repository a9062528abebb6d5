"""The settings of a crawl: one immutable value, merged from several places.

The places are, from the lowest rank: the defaults, config.toml, the spider's
`settings`, the environment and `-s` flags.

Rule: an unknown key or a wrong type is a one-line error. It names the place of the
setting, the key and the most similar valid key. Every setting has an effect.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_type_hints
from urllib.parse import urlsplit

import msgspec

from crawler.errors import ConfigError
from crawler.errors.nearest_name import nearest_name
from crawler.version import __version__
from crawler.web.file_extensions import SKIPPED
from crawler.web.lazy_regex import lazy_regex
from crawler.web.redaction import redacted
from crawler.web.url_identity import UrlIdentity, check_ignored


class Seconds(float):
    """A duration: a number of seconds, or text such as "90s", "10m", "2h", "1d"."""


class Bytes(int):
    """A size: a number of bytes, or text such as "32 MiB", "64 KiB", "1 kB"."""


_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_BYTES = {
    "": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3,
    "kib": 1024, "mib": 1024**2, "gib": 1024**3,
}  # fmt: skip
# A duration or size as text: a number and its unit.
_QUANTITY = lazy_regex(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


def seconds(text: str | float) -> Seconds:
    """Return a duration in seconds from a number or text: 90, "90s", "10m", "2h".

    Raise ValueError if `text` is not a duration.
    """
    return Seconds(
        _quantity(text, {"": 1, **_SECONDS}, "a duration such as 30s or 10m")
    )


def size(text: str | float) -> Bytes:
    """Return a size in bytes from a number or text: 1024, "32 MiB".

    Raise ValueError if `text` is not a size.
    """
    return Bytes(_quantity(text, _BYTES, "a size such as 500 kB or 32 MiB"))


def _quantity(text: str | float, units: Mapping[str, float], what: str) -> float:
    match = _QUANTITY.fullmatch(str(text))
    if match is None or match[2].lower() not in units:
        raise ValueError(f"{text!r} is not {what}")
    return float(match[1]) * units[match[2].lower()]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all sections, such as [crawl]; a section is a table of settings."""


SectionT = TypeVar("SectionT", bound=Section)


# This class has over 12 attributes, because it is a plain value with one field for each
# setting of [crawl].
class CrawlSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[crawl]: settings of the crawl as a whole."""

    #: Maximum number of pages fetched and processed at the same time, over all hosts.
    workers: int = 32
    #: Follow at most this many links in a row from a start page; none: no limit.
    depth: int | None = None
    #: End the run after exactly this number of pages; none: no limit. `--pages` takes
    #: precedence.
    pages: int | None = None
    #: End the run after exactly this number of items; none: no limit.
    items: int | None = None
    #: End the run, with exit code 3, when this number of pages has failed; none: no
    #: limit.
    errors: int | None = None
    #: End the run after this time; none: no limit.
    time: Seconds | None = None
    #: Skip links with these file extensions, unless the spider accepts their media
    #: type.
    skip_extensions: tuple[str, ...] = SKIPPED
    #: Query parameters that are ignored when URLs are compared: names, patterns such as
    #: "utm_*", or the built-in lists "@tracking" and "@sessions".
    ignore_params: tuple[str, ...] = ()
    #: Whether the order of query parameters is ignored when URLs are compared.
    sort_query: bool = False
    #: The crawler's name. Its first word selects the matching group of robots.txt.
    user_agent: str = f"crawler/{__version__}"
    #: A URL or mail address added to the User-Agent, so that a site can reach you.
    contact: str = ""
    #: The folder with the project's spiders.
    spiders: str = "spiders"
    #: The longest time that an async callback may take for one page.
    callback_timeout: Seconds = Seconds(60)
    #: How long pages in flight may continue after Ctrl-C, StopCrawl or a time limit.
    grace: Seconds = Seconds(10)


# This class has over 12 attributes, because it is a plain value with one field for each
# setting of [http].
class HttpSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[http]: the HTTP client, and the limits for responses."""

    #: Offer HTTP/2 to servers (by ALPN, over TLS); other servers get HTTP/1.1.
    http2: bool = True
    #: "own": the crawler's own transport. "httpx": the transport of httpx, for
    #: comparison; it does not refuse private addresses.
    transport: Literal["own", "httpx"] = "own"
    #: Maximum number of connections open at the same time.
    connections: int = 100
    #: The longest time to open a connection, including TLS.
    connect: Seconds = Seconds(10)
    #: The longest time between two pieces of a response.
    read: Seconds = Seconds(15)
    #: The longest time for one request and its response.
    total: Seconds = Seconds(120)
    #: The lowest rate at which a body may arrive, in bytes a second; 0: no limit.
    min_rate: Bytes = Bytes(1000)
    #: The time over which the rate for `min_rate` is measured.
    min_rate_window: Seconds = Seconds(30)
    #: The largest body as received, before decompression.
    max_body: Bytes = Bytes(32 * 1024**2)
    #: The largest body after decompression.
    max_decoded: Bytes = Bytes(64 * 1024**2)
    #: The largest ratio of decompressed to received bytes of a body, against
    #: decompression bombs. It is checked when over 1 MiB has been decompressed.
    max_ratio: int = 200
    #: Maximum number of content encodings applied to one body.
    max_encodings: int = 2
    #: The largest size of all response headers together.
    max_headers: Bytes = Bytes(64 * 1024)
    #: Maximum number of header fields of a response, and of its trailers.
    max_header_count: int = 500
    #: The longest URL; links to longer URLs are skipped.
    max_url: Bytes = Bytes(8 * 1024)
    #: Maximum number of links taken from one page.
    max_links: int = 10_000
    #: Treat a Refresh header or `<meta>` with at most this delay as a redirect; 0:
    #: never.
    max_refresh: Seconds = Seconds(10)
    #: Maximum number of nodes of one page (elements, texts and attributes); a page with
    #: more fails as parse_error.
    max_nodes: int = 1_000_000
    #: Maximum number of nodes of all large pages (over 256 kB) in memory together;
    #: further large pages wait until others are done.
    max_nodes_total: int = 1_000_000
    #: A PEM file of CA certificates to trust in place of the usual ones.
    ca_file: str = ""
    #: A PEM file with a client certificate and its key, for servers that require one.
    cert: str = ""
    #: A file with the key of `cert`, if `cert` does not contain it.
    key: str = ""
    #: Count a body without a length as truncated if it ends without TLS's close_notify.
    #: false: accept such a body as complete.
    require_close_notify: bool = True
    #: Check the servers' certificates.
    verify: bool = True
    #: Send every request through this proxy.
    proxy: str = ""
    #: Hosts that may have private addresses, besides the hosts of start URLs; true:
    #: all.
    private_networks: bool | tuple[str, ...] = ()


class PolitenessSettings(
    Section, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """[politeness]: limits that protect the sites which are crawled."""

    #: Obey robots.txt (RFC 9309).
    robots: bool = True
    #: Maximum number of requests to one host at the same time.
    per_host: int = 4
    #: Maximum number of requests a second to one host; 0: no limit. The default is no
    #: limit for loopback hosts, and 8 for others.
    rate: float | None = None
    #: Maximum number of requests a second to all hosts together; 0: no limit.
    total_rate: float = 0
    #: Maximum number of bytes received a second from all hosts together; 0: no limit.
    bandwidth: Bytes = Bytes(0)


class RetrySettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[retry]: when and how often a failed request is tried again."""

    #: Maximum number of tries of one request, the first included.
    attempts: int = 5
    #: The first pause between two tries; it doubles after each try, with jitter.
    wait: Seconds = Seconds(1)
    #: The longest pause between two tries.
    wait_max: Seconds = Seconds(60)
    #: The longest pause that a Retry-After header may set; a longer one is shortened.
    retry_after_max: Seconds = Seconds(3600)
    #: Response statuses after which the request is tried again.
    statuses: tuple[int, ...] = (408, 425, 429, 500, 502, 503, 504)


class ProxySettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[proxies]: a list of proxies to choose from, in addition to `http.proxy`."""

    #: Proxies to choose from: URLs, each with optional tags ("http://host:3128 de").
    list: tuple[str, ...] = ()
    #: A file with more proxies, one on each line.
    file: str = ""
    #: What keeps the same proxy for all its requests: each "session", each "host", or
    #: nothing ("request").
    by: Literal["request", "session", "host"] = "request"
    #: Response statuses that mean that a host has banned the proxy.
    ban_statuses: tuple[int, ...] = ()
    #: A CSS selector that matches only on pages which say that the proxy is banned.
    ban_selector: str = ""


class StorageSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[storage]: where the state of jobs is stored; a job is a spider's runs under one
    name."""

    #: The folder of the jobs' databases.
    dir: str = ".crawl"
    #: "durable": the state survives a crash. "memory": nothing is stored.
    mode: Literal["durable", "memory"] = "durable"
    #: "full": the state survives a power cut. "normal": it survives only a crash of the
    #: process.
    synchronous: Literal["full", "normal"] = "full"
    #: The number of finished runs kept for each job.
    keep_runs: int = 10
    #: The number of runs for each job whose items are kept, for `crawl export`.
    keep_items: int = 3
    #: A PostgreSQL database in place of `dir`, which several processes can share:
    #: postgresql://host/database. libpq takes the password from PGPASSWORD, ~/.pgpass
    #: or a service file.
    url: str = ""
    #: With `url`: if a process does not report for this time, other processes take over
    #: its hosts.
    lease: Seconds = Seconds(15)


class OutputSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[output]: where items go if the command line does not say."""

    #: The outputs of a run; empty: one file, out/NAME-RUN.jsonl.
    default: tuple[str, ...] = ()
    #: Write a ' at the start of a CSV cell that a spreadsheet would read as a formula.
    guard_formulas: bool = True
    #: Let a bad run (exit code 3, or no items) replace the output of an earlier run.
    #: false: its output is published under another name, such as NAME.bad-run-7.jsonl.
    publish_bad: bool = False


class Settings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of one crawl."""

    crawl: CrawlSettings = CrawlSettings()
    http: HttpSettings = HttpSettings()
    politeness: PolitenessSettings = PolitenessSettings()
    retry: RetrySettings = RetrySettings()
    proxies: ProxySettings = ProxySettings()
    storage: StorageSettings = StorageSettings()
    output: OutputSettings = OutputSettings()

    def url_identity(self) -> Callable[[str], str] | None:
        """Return a function that reduces a URL to the part that identifies its page.

        None if `ignore_params` and `sort_query` are not set: the whole URL identifies
        the page.
        """
        identity = UrlIdentity(
            self.crawl.ignore_params, sort_query=self.crawl.sort_query
        )
        return identity.of if identity else None

    def user_agent(self) -> str:
        """Return the User-Agent header: the crawler's name, and the contact if set."""
        if not self.crawl.contact:
            return self.crawl.user_agent
        return f"{self.crawl.user_agent} (+{self.crawl.contact})"


type_of_section: dict[str, type[Section]] = {
    "crawl": CrawlSettings,
    "http": HttpSettings,
    "politeness": PolitenessSettings,
    "retry": RetrySettings,
    "proxies": ProxySettings,
    "storage": StorageSettings,
    "output": OutputSettings,
}


class Layer(msgspec.Struct, frozen=True):
    """The settings from one place, such as config.toml or the environment."""

    #: The place, such as "config.toml" or "environment", as error messages name it.
    source: str
    #: The values of the settings by section and key, as written in that place.
    values: Mapping[str, Mapping[str, Any]]
    #: The [jobs.NAME] tables by name, as written. They are checked when they are used,
    #: so that an error in one job does not stop the others.
    jobs: Mapping[str, Any] = {}
    #: The [outputs.NAME] tables by name, as written.
    outputs: Mapping[str, Any] = {}


def build(layers: Iterable[Layer]) -> Settings:
    """Return the settings of all layers (such as config.toml and the environment) as
    one value; later layers take precedence.

    Raise ConfigError if a section, key or value is not valid.
    """
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for section, values in layer.values.items():
            settled = _checked(section, values, layer.source)
            merged.setdefault(section, {}).update(settled)
    return msgspec.convert(
        merged, Settings, strict=False, dec_hook=_quantity_hook, from_attributes=False
    )


def _checked(section: str, values: object, source: str) -> dict[str, Any]:
    if section not in type_of_section:
        raise ConfigError(
            unknown(f"section [{section}]", section, type_of_section, source)
        )
    if not isinstance(values, Mapping):
        raise ConfigError(
            f"{source}: {section} is not a table; write its settings below [{section}]"
        )
    kind = type_of_section[section]
    return {
        key: settled(kind, section, key, value, source) for key, value in values.items()
    }


def settled(
    kind: type[Section], section: str, key: str, value: Any, source: str
) -> Any:
    """Check one setting, and return its value.

    `kind` is the class of the section. `section` is its name, and `source` the place of
    the setting, for error messages. Raise ConfigError if the key or its value is not
    valid.
    """
    if key not in kind.__struct_fields__:
        name = f"setting {section}.{key}"
        raise ConfigError(unknown(name, key, kind.__struct_fields__, source))
    # TOML has no null. So "none" means None for a setting whose default is None.
    if value == "none" and getattr(kind(), key) is None:
        return None
    try:
        section_with = converted(kind, {key: value})
        _check_range(f"{section.partition('.')[0]}.{key}", getattr(section_with, key))
    except (msgspec.ValidationError, ValueError) as exc:
        why = str(exc).split(" - at `")[0]
        if choices := get_args(get_type_hints(kind)[key]):
            words = [repr(word) for word in choices if isinstance(word, str)]
            why += f"; use {' or '.join(words)}" if words else ""
        shown = value
        if section == "proxies" and key == "list":
            shown = "..."  # the text may contain passwords
        elif isinstance(value, str):
            shown = without_password(value) if key == "proxy" else redacted(value)
        raise ConfigError(f"{source}: {section}.{key} = {shown!r}: {why}") from exc
    return value


def without_password(url: object) -> object:
    """Return a proxy's URL with `***` in place of the user name and password."""
    if not isinstance(url, str) or "@" not in url:
        return url
    scheme, slashes, _ = url.partition("//")
    return f"{scheme}//***@{url.rpartition('@')[2]}" if slashes else "***"


def converted(kind: type[SectionT], values: Mapping[str, Any]) -> SectionT:
    """Return a section of class `kind` with values that `settled` has checked."""
    return msgspec.convert(values, kind, strict=False, dec_hook=_quantity_hook)


#: Settings whose number may be 0; all other numbers must be above 0.
_MAY_BE_ZERO = frozenset(
    {
        "crawl.depth",
        "crawl.grace",
        "http.min_rate",
        "http.max_encodings",
        "http.max_links",
        "politeness.rate",
        "politeness.total_rate",
        "politeness.bandwidth",
        "retry.wait",
        "retry.wait_max",
        "retry.retry_after_max",
        "storage.keep_items",
        "jobs.max_error_rate",
        "jobs.min_items",
        "jobs.retries",
    }
)
_PROXIES = ("http://", "https://", "socks5://", "socks5h://")
#: How the URL of a database for `storage.url` begins.
DATABASES = ("postgresql://", "postgres://")
#: Settings whose text may be empty.
_MAY_BE_EMPTY = frozenset(
    {
        "crawl.contact",
        "http.ca_file",
        "http.cert",
        "http.key",
        "http.proxy",
        "jobs.on_failure",
        "jobs.on_finish",
        "jobs.schedule",
        "jobs.spider",
        "proxies.ban_selector",
        "proxies.file",
        "storage.url",
    }
)


_STATUSES = frozenset({"retry.statuses", "proxies.ban_statuses"})


def _check_range(name: str, value: object) -> None:
    """Raise ValueError if a value has the right type but is out of range."""
    if isinstance(value, str):
        _check_text(name, value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(name, value)
    elif isinstance(value, tuple):
        _check_list(name, value)


def _check_list(name: str, values: tuple[Any, ...]) -> None:
    if name == "crawl.ignore_params":
        check_ignored(values)
    elif name == "proxies.list":
        for number, line in enumerate(values, 1):
            check_proxy((line.split() or [""])[0], f" in entry {number}")
    elif name in _STATUSES:
        for status in values:
            if not 100 <= status <= 599:
                raise ValueError(f"{status} is not an HTTP status; use 100 to 599")


def _check_number(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise ValueError(
            "the value is not a finite number; write a number that is 0 or above"
        )
    if value < 0:
        raise ValueError("the value is below 0; write a number that is 0 or above")
    if not value and name not in _MAY_BE_ZERO:
        least = "at least 1" if type(value) is int else "above 0"
        raise ValueError(f"the value must be {least}, not 0")


def _check_text(name: str, value: str) -> None:
    if not value.strip() and name not in _MAY_BE_EMPTY:
        raise ValueError("the value is empty; write a text")
    if not value.isprintable():
        raise ValueError(
            "the value has a character that cannot be printed, such as a line break; "
            "remove it"
        )
    if name == "http.proxy" and value:
        check_proxy(value)
    if name == "storage.url" and value and not value.startswith(DATABASES):
        raise ValueError(
            "the value is not the URL of a PostgreSQL database; write "
            "postgresql://host/database"
        )


def check_proxy(value: str, place: str = "") -> None:
    """Raise ValueError unless the text is a valid proxy URL.

    The error has `place`, not the URL, because the URL may contain a password.
    """
    try:
        parts = urlsplit(value)
        is_one = value.startswith(_PROXIES) and parts.hostname and parts.port != 0
    except ValueError:  # the URL's port or address is invalid
        is_one = False
    if not is_one:
        raise ValueError(
            f"the proxy's URL{place} is not valid; write http://host:port, or "
            "socks5://host:port"
        )
    if value.startswith("socks") and not has_socks():
        raise ValueError(SOCKS_NEEDS)


#: The error for a SOCKS proxy if the extra `socks` is not installed.
SOCKS_NEEDS = (
    "a SOCKS proxy needs the extra `socks`: pip install 'exact-crawler[socks]'"
)


def has_socks() -> bool:
    """Return whether the extra `socks` is installed."""
    try:
        return importlib.util.find_spec("socksio") is not None
    except ValueError:  # find_spec() raises it if sys.modules["socksio"] is None
        return False


def unknown(what: str, name: str, valid: Iterable[str], source: str) -> str:
    """Return the error text for an unknown name, with the most similar valid name.

    `what` is the name with a noun, such as "section [htp]"; `source` is the place where
    the name was found.
    """
    names = list(valid)
    near = nearest_name(name, names)
    hint = f"did you mean {near!r}?" if near else "valid are " + ", ".join(names)
    return f"{source}: unknown {what}; {hint}"


def _quantity_hook(kind: type, value: Any) -> Any:
    if kind is Seconds and isinstance(value, (str, int, float)):
        return seconds(value)
    if kind is Bytes and isinstance(value, (str, int, float)):
        return size(value)
    raise ValueError(
        f"the value must be a number of {kind.__name__.lower()}, or a text with a "
        f"unit, not of type {type(value).__name__}"
    )


def from_file(folder: Path) -> tuple[Layer, Path | None]:
    """Read a project's settings from config.toml, or [tool.crawl] of pyproject.toml.

    Return the settings, and their file (None if there is none). A config.toml without a
    known section is taken to belong to another program, and is ignored. Raise
    ConfigError if both files have settings, or one cannot be read.
    """
    own = _tables(folder / "config.toml")
    ours = {name: own[name] for name in own if name in (*type_of_section, *_NAMED)}
    tool = _tables(folder / "pyproject.toml").get("tool", {})
    shared = tool.get("crawl", {}) if isinstance(tool, dict) else {}
    if ours and shared:
        raise ConfigError(
            f"Both {folder / 'config.toml'} and [tool.crawl] in pyproject.toml have "
            "settings; keep them in one of the two"
        )
    if ours:
        return _layer("config.toml", own), folder / "config.toml"
    if shared:
        return _layer("pyproject.toml [tool.crawl]", shared), folder / "pyproject.toml"
    return Layer("config.toml", {}), None


def _layer(source: str, tables: dict[str, Any]) -> Layer:
    named = {section: tables.pop(section, {}) for section in _NAMED}
    for section, values in named.items():
        if not isinstance(values, dict):
            raise ConfigError(
                f"{source}: {section} is not a table of tables; write each table as "
                f"[{section}.NAME]"
            )
    return Layer(source, tables, **named)


#: Sections that hold tables whose names the user chooses, such as [jobs.NAME].
_NAMED = ("jobs", "outputs")


def _tables(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} cannot be read: {exc}") from exc
    import tomllib  # slow, and many crawls have no file

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path} is not valid TOML: {exc}") from exc


def from_environment(environ: Mapping[str, str] = os.environ) -> Layer:
    """Return the settings in environment variables, such as CRAWL_HTTP__READ=5s."""
    values: dict[str, dict[str, Any]] = {}
    for name, text in environ.items():
        section, found, key = name.removeprefix("CRAWL_").partition("__")
        if name.startswith("CRAWL_") and found:
            values.setdefault(section.lower(), {})[key.lower()] = parse_value(text)
    return Layer("environment", values)


def from_flags(pairs: Iterable[str]) -> Layer:
    """Return the settings in `-s section.key=value` flags; `pairs` are without `-s`."""
    values: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        section, dot, key = name.strip().partition(".")
        if not equals or not dot:
            raise ConfigError(f"-s {pair} is not of the form section.key=value")
        values.setdefault(section, {})[key] = parse_value(text)
    return Layer("-s", values)


_TRUTH = {"true": True, "false": False}


def parse_value(text: str) -> Any:
    """Return the value of `text` as TOML; if it is not valid TOML, the text itself."""
    if text in _TRUTH:
        return _TRUTH[text]
    import tomllib  # slow

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
