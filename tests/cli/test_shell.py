"""`crawl shell`: Python beside one page."""

import subprocess
import sys
from pathlib import Path

from tests.cli.sites import PATIENCE, SHOP, crawl, environment, serving


def test_the_page_can_be_looked_into_and_another_one_fetched(tmp_path: Path) -> None:
    with serving(SHOP) as site:
        done = subprocess.run(
            [sys.executable, "-m", "crawler.cli", "shell", f"{site.url}/"],
            cwd=tmp_path,
            env=environment(),
            input=(
                "print(css('h1')[0].text())\n"
                f"_ = fetch('{site.url}/one')\n"
                "print(response.url, css('h1')[0].text())\n"
                "1 / 0\n"
            ),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    said = done.stdout.replace(">>> ", "").splitlines()
    assert said == ["Shop", f"{site.url}/one One"]
    assert "ZeroDivisionError" in done.stderr
    assert "robots.txt is not asked." in done.stderr


def test_a_page_that_cannot_be_had_is_one_line(tmp_path: Path) -> None:
    with serving({}) as site:
        pass  # nobody listens there any more

    done = crawl(tmp_path, "shell", f"{site.url}/")

    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert "connect_refused" in done.stderr
