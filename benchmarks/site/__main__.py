"""`python -m benchmarks.site`: serve the trees, print where as one line of JSON."""

import argparse
import json
import os
import signal
import sys
import time

from benchmarks.site import SiteUnavailable, site, walk

_LOOK_EVERY = 0.5


def main() -> None:
    """Serve until --for has passed, a signal comes or the parent is gone."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.site",
        description="Serve Debian's python3-doc and postgresql-doc-15 on loopback: "
        "HTTP/1.1 in clear, HTTP/1.1 over TLS, HTTP/2 over TLS. Prints the base URLs, "
        "the CA file and the access log as JSON.",
    )
    parser.add_argument(
        "--for",
        dest="seconds",
        type=float,
        metavar="SECONDS",
        help="stop after so long (default: with its parent, or by a signal)",
    )
    parser.add_argument(
        "--expected",
        choices=["postgresql", "python"],
        help="serve nothing; print the pages of a tree and their titles",
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        if options.expected:
            tree = walk(options.expected)
            print(json.dumps(vars(tree), ensure_ascii=False, indent=1))
        else:
            _serve(options.seconds)
    except SiteUnavailable as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass


def _serve(seconds: float | None) -> None:
    parent = os.getppid()
    with site() as running:
        places = {
            "h1": running.h1,
            "h1_tls": running.h1_tls,
            "h2": running.h2,
            "ca_file": str(running.ca_file),
            "log_path": str(running.log_path),
            "starts": ["/postgresql/index.html", "/python/index.html"],
        }
        print(json.dumps(places), flush=True)
        end = None if seconds is None else time.monotonic() + seconds
        while os.getppid() == parent and (end is None or time.monotonic() < end):
            left = _LOOK_EVERY if end is None else end - time.monotonic()
            time.sleep(max(0.0, min(_LOOK_EVERY, left)))


if __name__ == "__main__":
    main()
