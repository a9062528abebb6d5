"""`crawl shell` opens a Python shell with one page."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.cli.sites import PATIENCE, SHOP, crawl, environment, serving, write_spider


def test_the_shell_shows_the_page_and_fetches_another(tmp_path: Path) -> None:
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
    assert "robots.txt is not checked." in done.stderr


def test_a_page_that_cannot_be_fetched_is_reported_in_one_line(tmp_path: Path) -> None:
    with serving({}) as site:
        pass  # nobody listens there any more

    done = crawl(tmp_path, "shell", f"{site.url}/")

    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert "connect_refused" in done.stderr


def shell(
    folder: Path, *arguments: str, lines: str
) -> subprocess.CompletedProcess[str]:
    """`crawl shell` with lines of Python, as a pipe gives them."""
    return subprocess.run(
        [sys.executable, "-m", "crawler.cli", "shell", *arguments],
        cwd=folder,
        env=environment(DISPLAY="", WAYLAND_DISPLAY="", BROWSER=""),
        input=lines,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_the_tried_selectors_are_printed_as_code(tmp_path: Path) -> None:
    with serving(SHOP) as site:
        done = shell(
            tmp_path, f"{site.url}/", lines="_ = css('h1'), css('a'), css('.price')\n"
        )

    said = done.stderr.partition("Tried, as code to paste:")[2].strip().splitlines()
    assert said == [
        "async def parse(self, response: Response) -> Results:",
        f"    # {site.url}/",
        "    # .price matched nothing",
        "    yield {",
        '        "h1": response.page.text("h1"),  # Shop',
        '        "a": [node.text() for node in response.css("a")],  # 1',
        "    }",
    ]


def test_the_page_is_written_to_a_file_for_a_browser(tmp_path: Path) -> None:
    with serving(SHOP) as site:
        done = shell(tmp_path, f"{site.url}/", lines="print(view())\n")

    path = Path(done.stdout.replace(">>> ", "").splitlines()[0])
    text = path.read_text(encoding="utf-8")
    assert f'<base href="{site.url}/">' in text
    assert "<h1>Shop</h1>" in text


def test_the_shell_has_the_spider_and_sends_its_headers(tmp_path: Path) -> None:
    with serving(SHOP) as site:
        path = write_spider(tmp_path, site.url)
        path.write_text(
            path.read_text().replace(
                "    shelf:", '    headers = {"X-Key": "k"}\n    shelf:'
            )
        )
        done = shell(
            tmp_path,
            f"{site.url}/",
            "--spider",
            "books",
            lines="print(spider.name, spider.shelf)\n"
            f"r = fetch(Request('{site.url}/one', headers={{'X': 'y'}}))\n"
            "print(r.request.options.headers, r.page.text('h1'))\n",
        )

    said = done.stdout.replace(">>> ", "").splitlines()
    assert said[0] == "books fiction"
    assert said[1].endswith("One")
    assert "spider      books; pages are fetched as this spider does" in done.stderr


def test_ipython_is_used_if_it_is_installed_and_a_person_types(tmp_path: Path) -> None:
    own, theirs = pty.openpty()
    with serving(SHOP) as site, os.fdopen(own, "r+b", buffering=0) as terminal:
        process = subprocess.Popen(
            [sys.executable, "-m", "crawler.cli", "shell", f"{site.url}/"],
            cwd=tmp_path,
            env=environment(TERM="dumb", IPYTHONDIR=str(tmp_path / "ipython")),
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        os.close(theirs)
        try:
            terminal.write(b"print(css('h1')[0].text() * 2)\nexit\n")
            out, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()

    said = out.decode(errors="replace")
    assert "In [1]" in said
    assert "ShopShop" in said
    assert 'response.page.text("h1")' in said
    assert process.returncode == 0
