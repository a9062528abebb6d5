"""`crawl` that dies by SIGKILL just before the Nth event of a kind.

`python -m tests.faults.killed_at EVENT N ARGUMENTS...`: EVENT is what Python tells its
audit hooks, such as `os.truncate`, `os.rename`, `sqlite3.connect`, `open`. Events count
from the moment at which the crawl may begin. So no code of the product knows of this.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from crawler.cli import main


def install(event: str, count: int) -> None:
    """Die at the event."""
    left = count

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if name == event:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


if __name__ == "__main__":
    install(sys.argv[1], int(sys.argv[2]))
    del sys.argv[1:3]
    sys.exit(main())
