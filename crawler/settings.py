"""Typed settings: one frozen value, built from defaults, file, spider, environment and
flags.

Rule: an unknown key or a wrong type is a one-line error. The error names the place, the
key and the nearest valid key. No setting exists before it has an effect.
"""

from __future__ import annotations

import importlib.util
import math
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_type_hints
from urllib.parse import urlsplit

import msgspec

from crawler.errors import ConfigError
from crawler.errors.nearest_name import nearest_name
from crawler.version import __version__
from crawler.web.file_extensions import SKIPPED
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
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


def seconds(text: str | float) -> Seconds:
    """Return the seconds that `text` means: 90, "90s", "10m", "2h". ValueError if
    invalid."""
    return Seconds(
        _quantity(text, {"": 1, **_SECONDS}, "a duration such as 30s or 10m")
    )


def size(text: str | float) -> Bytes:
    """Return the bytes that `text` means: 1024, "32 MiB". ValueError if invalid."""
    return Bytes(_quantity(text, _BYTES, "a size such as 500 kB or 32 MiB"))


def _quantity(text: str | float, units: Mapping[str, float], what: str) -> float:
    match = _QUANTITY.fullmatch(str(text))
    if match is None or match[2].lower() not in units:
        raise ValueError(f"{text!r} is not {what}")
    return float(match[1]) * units[match[2].lower()]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all sections of settings."""


SectionT = TypeVar("SectionT", bound=Section)


# Over 12 attributes: a plain value with one field for each setting of [crawl].
class CrawlSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[crawl]: settings of the crawl as a whole."""

    #: Number of pages processed at the same time, over all hosts.
    workers: int = 32
    #: Follow at most this many links in a row from a start page; none: no limit.
    depth: int | None = None
    #: End the run after exactly this many pages; none: no limit. `--pages` takes
    #: precedence.
    pages: int | None = None
    #: End the run after exactly this many items; none: no limit.
    items: int | None = None
    #: End the run as a bad one when this many pages have failed; none: no limit.
    errors: int | None = None
    #: End the run after this time; none: no limit.
    time: Seconds | None = None
    #: Skip links with these file extensions, unless the spider accepts their media
    #: type.
    skip_extensions: tuple[str, ...] = SKIPPED
    #: Query parameters that are ignored when URLs are compared: names, "utm_*", or the
    #: lists "@tracking" and "@sessions".
    ignore_params: tuple[str, ...] = ()
    #: Whether the order of query parameters is ignored when URLs are compared, too.
    sort_query: bool = False
    #: The crawler's name. Its first word selects the matching group of robots.txt.
    user_agent: str = f"crawler/{__version__}"
    #: A URL or mail address added to the User-Agent, so that a site can reach you.
    contact: str = ""
    #: The folder that holds the project's spiders.
    spiders: str = "spiders"
    #: The longest time that an async callback may take for one page.
    callback_timeout: Seconds = Seconds(60)
    #: How long pages in flight may continue after Ctrl-C or a time limit.
    grace: Seconds = Seconds(10)


# Over 12 attributes: a plain value with one field for each setting of [http].
class HttpSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[http]: the shared HTTP client, and the limits for responses."""

    #: Offer HTTP/2 (by ALPN, over TLS); HTTP/1.1 remains the fallback.
    http2: bool = True
    #: "own": the crawler's own transport. "httpx": the standard one, for comparison; it
    #: does not refuse private addresses.
    transport: Literal["own", "httpx"] = "own"
    #: Maximum number of sockets open at the same time.
    connections: int = 100
    #: The longest time to open a connection, including TLS.
    connect: Seconds = Seconds(10)
    #: The longest time between two pieces of a response.
    read: Seconds = Seconds(15)
    #: The longest time for one request and its response.
    total: Seconds = Seconds(120)
    #: Lowest speed of a body in bytes a second, over `min_rate_window`; 0: no limit.
    min_rate: Bytes = Bytes(1000)
    #: The time over which `min_rate` is measured.
    min_rate_window: Seconds = Seconds(30)
    #: The largest body as transferred.
    max_body: Bytes = Bytes(32 * 1024**2)
    #: The largest body after decompression.
    max_decoded: Bytes = Bytes(64 * 1024**2)
    #: The largest ratio of decoded to received bytes. It is checked from the first
    #: decoded MiB on, against decompression bombs.
    max_ratio: int = 200
    #: Maximum number of content encodings applied to one body.
    max_encodings: int = 2
    #: The largest size of all response headers together.
    max_headers: Bytes = Bytes(64 * 1024)
    #: Maximum number of response header lines.
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
    #: Maximum number of nodes of all large pages (over 256 kB) in memory; other pages
    #: wait for room.
    max_nodes_total: int = 1_000_000
    #: A file of CA certificates to trust in place of the usual ones.
    ca_file: str = ""
    #: A PEM file with a client certificate and its key, for servers that require one.
    cert: str = ""
    #: A file with the key of `cert`, if `cert` does not contain it.
    key: str = ""
    #: If a body has no length, require TLS's close_notify at its end; without it the
    #: body counts as truncated. false: accept such bodies as complete.
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
    """[politeness]: limits on what is asked of a site."""

    #: Obey robots.txt (RFC 9309).
    robots: bool = True
    #: Maximum number of requests to one host at the same time.
    per_host: int = 4
    #: Maximum number of requests to one host a second; 0: no limit. Loopback hosts: no
    #: limit by default.
    rate: float | None = None
    #: Maximum number of requests to all hosts together a second; 0: no limit.
    total_rate: float = 0
    #: Maximum number of bytes received from all hosts together a second; 0: no limit.
    bandwidth: Bytes = Bytes(0)


class RetrySettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[retry]: when and how often a failed request is tried again."""

    #: Maximum number of tries of one request, the first included.
    attempts: int = 5
    #: The first pause between two tries; it doubles after each try, with jitter.
    wait: Seconds = Seconds(1)
    #: The longest pause between two tries.
    wait_max: Seconds = Seconds(60)
    #: The longest Retry-After that is obeyed; a longer one is shortened to this.
    retry_after_max: Seconds = Seconds(3600)
    #: Response statuses after which the request is tried again.
    statuses: tuple[int, ...] = (408, 425, 429, 500, 502, 503, 504)


class ProxySettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[proxies]: a list of proxies to choose from, in addition to `http.proxy`."""

    #: Proxies to choose from: URLs, each with optional tags ("http://host:3128 de").
    list: tuple[str, ...] = ()
    #: A file with more proxies, one a line.
    file: str = ""
    #: What keeps the same proxy: each "session", each "host", or nothing ("request").
    by: Literal["request", "session", "host"] = "request"
    #: Response statuses that mean that a host has banned the proxy.
    ban_statuses: tuple[int, ...] = ()
    #: A CSS selector that matches only on pages which say that the proxy is banned.
    ban_selector: str = ""


class StorageSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[storage]: where a job's state is stored."""

    #: The folder of the jobs' databases.
    dir: str = ".crawl"
    #: "durable": the state survives any crash. "memory": nothing is stored.
    mode: Literal["durable", "memory"] = "durable"
    #: "full": the state survives a power cut. "normal": only a crash of the process.
    synchronous: Literal["full", "normal"] = "full"
    #: The number of finished runs kept for each job.
    keep_runs: int = 10
    #: The number of runs for each job whose items are kept, for `crawl export`.
    keep_items: int = 3
    #: A PostgreSQL database that processes share, postgresql://host/database, in place
    #: of `dir`. libpq finds the password in PGPASSWORD, ~/.pgpass or a service.
    url: str = ""
    #: With `url`: how long a process may be silent before others take over its sites.
    lease: Seconds = Seconds(15)


class OutputSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[output]: where items go if the command line does not say."""

    #: Outputs of every run; empty: out/NAME-RUN.jsonl.
    default: tuple[str, ...] = ()
    #: Put a ' before CSV cells that a spreadsheet would read as a formula.
    guard_formulas: bool = True
    #: Let a bad run (exit code 3, or no items) replace the output of an earlier run.
    #: false: it is published under another name, such as NAME.bad-run-7.jsonl.
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
        """Return a function that reduces a URL to the part that identifies it.

        None: the whole URL identifies it.
        """
        identity = UrlIdentity(
            self.crawl.ignore_params, sort_query=self.crawl.sort_query
        )
        return identity.of if identity else None

    def user_agent(self) -> str:
        """Return the User-Agent header: the crawler's name and the contact."""
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
    """Settings from one place; `source` names the place in messages."""

    source: str
    values: Mapping[str, Mapping[str, Any]]
    #: [jobs.NAME] tables as written. They are checked later, so that one wrong job does
    #: not hide the others.
    jobs: Mapping[str, Any] = {}
    #: [outputs.NAME] tables as written.
    outputs: Mapping[str, Any] = {}


def build(layers: Iterable[Layer]) -> Settings:
    """Merge `layers` into one value; later layers take precedence.

    ConfigError names a wrong key.
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
        raise ConfigError(f"{source}: [{section}] must be a table of settings")
    kind = type_of_section[section]
    return {
        key: settled(kind, section, key, value, source) for key, value in values.items()
    }


def settled(
    kind: type[Section], section: str, key: str, value: Any, source: str
) -> Any:
    """Return `value` converted for `key` of a section. ConfigError if it is not
    valid."""
    if key not in kind.__struct_fields__:
        name = f"setting {section}.{key}"
        raise ConfigError(unknown(name, key, kind.__struct_fields__, source))
    # TOML has no null; the text "none" stands for None where None is the default.
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
    """Return a section made of values that `settled` has already checked."""
    return msgspec.convert(values, kind, strict=False, dec_hook=_quantity_hook)


#: Numbers that may be 0; all others must be above 0.
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
#: The start of a shared store's URL.
DATABASES = ("postgresql://", "postgres://")
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
        for line in values:
            check_proxy((line.split() or [""])[0])
    elif name in _STATUSES:
        for status in values:
            if not 100 <= status <= 599:
                raise ValueError(f"{status} is no HTTP status; use 100 to 599")


def _check_number(name: str, value: float) -> None:
    if not math.isfinite(value) or value < 0:
        raise ValueError("must be a number, 0 or above")
    if not value and name not in _MAY_BE_ZERO:
        raise ValueError(f"must be {'at least 1' if type(value) is int else 'above 0'}")


def _check_text(name: str, value: str) -> None:
    if not value.strip() and name not in _MAY_BE_EMPTY:
        raise ValueError("must not be empty")
    if not value.isprintable():
        raise ValueError("must be one line, without control characters")
    if name == "http.proxy" and value:
        check_proxy(value)
    if name == "storage.url" and value and not value.startswith(DATABASES):
        raise ValueError("write it as postgresql://host/database")


def check_proxy(value: str) -> None:
    """Raise ValueError unless the text is a valid proxy URL."""
    try:
        parts = urlsplit(value)
        is_one = value.startswith(_PROXIES) and parts.hostname and parts.port != 0
    except ValueError:  # the URL's port or address is invalid
        is_one = False
    if not is_one:
        raise ValueError("write it as http://host:port, or socks5://host:port")
    if value.startswith("socks") and not has_socks():
        raise ValueError(SOCKS_NEEDS)


SOCKS_NEEDS = "SOCKS proxy needs the extra `socks`: pip install 'exact-crawler[socks]'"


def has_socks() -> bool:
    """Return whether the extra `socks` is installed."""
    try:
        return importlib.util.find_spec("socksio") is not None
    except ValueError:  # find_spec() raises it if sys.modules["socksio"] is None
        return False


def unknown(what: str, name: str, valid: Iterable[str], source: str) -> str:
    """Return a one-line error for an unknown name, with the nearest valid name."""
    names = list(valid)
    near = nearest_name(name, names)
    hint = f"did you mean {near!r}?" if near else "valid are " + ", ".join(names)
    return f"{source}: unknown {what}; {hint}"


def _quantity_hook(kind: type, value: Any) -> Any:
    if kind is Seconds and isinstance(value, (str, int, float)):
        return seconds(value)
    if kind is Bytes and isinstance(value, (str, int, float)):
        return size(value)
    raise ValueError(f"expected {kind.__name__.lower()}, got {type(value).__name__}")


def from_file(folder: Path) -> tuple[Layer, Path | None]:
    """Read the project's settings in `folder`: config.toml, or [tool.crawl] of
    pyproject.toml.

    Return the settings, and the file that holds them (None if there is none). A
    config.toml without a known section belongs to another program and is ignored.
    """
    own = _tables(folder / "config.toml")
    ours = {name: own[name] for name in own if name in (*type_of_section, *_NAMED)}
    tool = _tables(folder / "pyproject.toml").get("tool", {})
    shared = tool.get("crawl", {}) if isinstance(tool, dict) else {}
    if ours and shared:
        raise ConfigError(
            f"Both {folder / 'config.toml'} and [tool.crawl] in pyproject.toml hold "
            "settings; keep one of them"
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
                f"{source}: {section} must be tables, each as [{section}.NAME]"
            )
    return Layer(source, tables, **named)


#: Sections whose tables have names chosen by the user.
_NAMED = ("jobs", "outputs")


def _tables(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path} is not valid TOML: {exc}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} cannot be read: {exc}") from exc


def from_environment(environ: Mapping[str, str] = os.environ) -> Layer:
    """Return settings from environment variables such as CRAWL_HTTP__READ=5."""
    values: dict[str, dict[str, Any]] = {}
    for name, text in environ.items():
        section, found, key = name.removeprefix("CRAWL_").partition("__")
        if name.startswith("CRAWL_") and found:
            values.setdefault(section.lower(), {})[key.lower()] = parse_value(text)
    return Layer("environment", values)


def from_flags(pairs: Iterable[str]) -> Layer:
    """Return settings from `-s section.key=value` flags."""
    values: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        section, dot, key = name.strip().partition(".")
        if not equals or not dot:
            raise ConfigError(f"-s {pair}: write it as section.key=value")
        values.setdefault(section, {})[key] = parse_value(text)
    return Layer("-s", values)


def parse_value(text: str) -> Any:
    """Return the TOML value that `text` spells, else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
