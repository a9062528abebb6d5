"""Advice at the end of a run: each line is a problem and its remedy."""

from __future__ import annotations

from collections.abc import Mapping

from crawler.errors import Reason
from crawler.run.again import parse_command
from crawler.run.callbacks import XML
from crawler.run.observers import Observations
from crawler.run.selector_watch import Matches
from crawler.run.start_requests import BAD_START
from crawler.run.watchdog import BLOCKING
from crawler.stats import DEFAULT_ERROR_RATE, FinishReason, Report, counted
from crawler.store.base import DUPLICATE

#: By name of a link filter (such as "depth"): the setting that decides which links the
#: filter skips.
_SETTINGS = {
    "scope": "the spider's `scope`",
    "depth": "crawl.depth",
    "extension": "crawl.skip_extensions",
    "max_links": "http.max_links",
    "max_url": "http.max_url",
    "patterns": "allow and deny in the spider",
}
# By reason for which documents or requests were skipped: the noun that follows their
# number in the advice, and the advice.
_SKIPPED = {
    XML: (
        "XML document",
        (
            "without links: a callback looked for links, which XML does not have; "
            "read XML with response.xml or response.xpath(...)"
        ),
    ),
    DUPLICATE: (
        "Request",
        (
            "skipped, because equal ones were requested before (callback and meta do "
            "not count); to repeat a request, use Request(..., once=False). See crawl "
            "why URL"
        ),
    ),
    BAD_START: (
        "start URL",
        f"skipped as {BAD_START}, not an http(s) URL; the log names the first ones",
    ),
}
_NETWORK = {
    Reason.DNS_ERROR: "the name does not resolve; check its spelling and the network",
    Reason.CONNECT_REFUSED: "no server listens there; check the port",
    Reason.CONNECT_TIMEOUT: "if the server is only slow, raise http.connect",
    Reason.PROXY_ERROR: "check http.proxy, or the proxy of the requests",
    Reason.TLS_ERROR: "the certificate is not trusted; name its CA in http.ca_file",
}

#: Text of messages that already advise to raise the limit on open files; these messages
#: get no further advice.
_NO_FILES = "raise ulimit -n"


def advise(
    report: Report,
    observations: Observations,
    selectors: Mapping[tuple[str, str], Matches],
    *,
    file_advice: str = "",
    arguments: Mapping[str, object] | None = None,
) -> list[str]:
    """Return lines of advice for the end of a run, the most serious first.

    `file_advice` tells how to raise the limit on open files if that limit delays
    connections; else "". `arguments` are the arguments of the spider.
    """
    failures = _failures(report, observations, arguments or {})
    lines = [*failures, *_statuses(report)]
    if not report.found and report.finish_reason is FinishReason.FINISHED:
        lines.append(
            "There was nothing to request; give the spider start_urls, or a start() "
            "that yields Requests"
        )
    lines += [
        f"No item had a value for {name}; try its selector in crawl shell URL"
        for name, share in report.fields.items()
        if not share
    ]
    if report.pages and not report.item_count:
        lines += _no_items(report, selectors)
    if not report.pages and report.skipped.get(Reason.ROBOTS_DENIED):
        url = observations.samples.get(Reason.ROBOTS_DENIED, ("the start URL", ""))[0]
        lines.append(
            f"robots.txt forbids {url}; ask the site's owner, or, if you are allowed "
            "to, set politeness.robots=false"
        )
    for place, seconds in report.blocking.items():
        lines.append(
            f"{place} blocked the crawl for {seconds:,.1f} s in all; {BLOCKING}"
        )
    for reason, (noun, advice) in _SKIPPED.items():
        if amount := report.skipped.get(reason):
            lines.append(f"{counted(amount, noun)} {advice}")
    lines += _redirects(report, observations)
    return lines + _connections(report, file_advice) + _left_out(report, observations)


def _failures(
    report: Report, observations: Observations, arguments: Mapping[str, object]
) -> list[str]:
    lines = []
    for reason, amount in report.errors.items():
        url, detail = observations.samples.get(reason, ("", ""))
        example = f", such as {url}: {detail}" if url else ""
        line = f"{counted(amount, 'URL')} failed as {reason}{example}"
        if reason in _NETWORK and _NO_FILES not in detail:
            line += f"; {_NETWORK[Reason(reason)]}"
        elif reason in (Reason.SPIDER_ERROR, Reason.PIPELINE_ERROR) and url:
            request = observations.requests[reason]
            command = parse_command(request, report.spider, arguments)
            line += f"; repeat it with: {command}"
        lines.append(line)
    return lines


def _statuses(report: Report) -> list[str]:
    answers = sum(report.statuses.values())
    lines = []
    for status, meaning in (
        ("403", "refuses our requests"),
        ("429", "receives too many requests"),
    ):
        amount = report.statuses.get(status, 0)
        if amount * 2 > answers:
            lines.append(
                f"{amount:,} of {answers:,} answers were {status}: the site {meaning}; "
                "set crawl.contact, and lower politeness.rate"
            )
    return lines


def _redirects(report: Report, observations: Observations) -> list[str]:
    """Return advice if many pages redirect to one page, for example to a login."""
    (target, amount), *_ = observations.targets.most_common(1) or [("", 0)]
    if amount < 3 or amount <= DEFAULT_ERROR_RATE * (report.pages + amount):
        return []
    what = "if it is a login or a cookie wall, the crawl has not seen the pages behind"
    where = f"{target}, which was requested once"
    return [f"{amount:,} pages redirect to {where}; {what}: try crawl fetch URL"]


def _connections(report: Report, file_advice: str) -> list[str]:
    lines = []
    if report.http2_fallbacks:
        lines.append(
            f"{counted(report.http2_fallbacks, 'time')} the crawl used HTTP/1.1 after "
            "an origin's HTTP/2 had failed; if HTTP/2 always fails, set "
            "http.http2=false"
        )
    if report.pool_waits:
        what = file_advice or "raise http.connections above crawl.workers"
        lines.append(
            f"{counted(report.pool_waits, 'request')} waited for a connection; {what}"
        )
    return lines


def _no_items(
    report: Report, selectors: Mapping[tuple[str, str], Matches]
) -> list[str]:
    lines = []
    for (_, selector), matches in selectors.items():
        if not matches.matched:
            lines.append(
                f"No items: {selector} matched nothing on {matches.asked:,} of "
                f"{counted(matches.asked, 'page')}; look at a page with crawl fetch URL"
            )
    if report.dropped:
        dropped = ", ".join(f"{n:,} as {why}" for why, n in report.dropped.items())
        lines.append(f"No items: pipelines dropped all of them, {dropped}")
    if not lines:
        lines.append(
            "No items: the callbacks yielded none; look at a page with crawl fetch URL"
        )
    return lines


def _left_out(report: Report, observations: Observations) -> list[str]:
    by_filter = {
        rule: amount
        for rule, amount in report.skipped.items()
        if rule not in (Reason.ROBOTS_DENIED, Reason.UNWANTED_TYPE, *_SKIPPED)
        and rule not in observations.own_skips
    }
    if not by_filter:
        return []
    total = sum(by_filter.values())
    rule, amount = max(by_filter.items(), key=lambda pair: pair[1])
    hosts = observations.left_out.get(rule)
    most = (
        f", most to {hosts.most_common(1)[0][0]}" if hosts and rule == "scope" else ""
    )
    setting = _SETTINGS.get(rule, rule)
    share = "" if amount == total else f"{amount:,} "
    links = counted(total, "link")
    return [f"{links} skipped, {share}by {rule}{most} (change it by {setting})"]
