"""The crawls of the golden record: each file has a site, a spider and `crawl`."""

NAMES = (
    "redirects",
    "cookies",
    "walls",
    "robots",
    "retries",
    "throttling",
    "errback",
    "streams",
    "killed",
    "limits",
    "proxies",
    "http2",
)
