"""A crawl reuses freed memory of one page for the next page."""

import ctypes
import os
import subprocess
import sys

import pytest

IS_GLIBC = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt")

# Parses the same large page again and again; prints the page faults of the last ones.
PARSING = """
import resource
from crawler.cli import memory
from crawler.page import Page

memory.settle()
body = b"<ul>" + b"<li><a href=x>word</a> and more</li>" * 20_000 + b"</ul>"

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

for number in range(8):
    if number == 4:
        before = faults()
    page = Page(body, "https://books.example/")
    page.verdict = ""  # as after a trial: a page of this size is tried before
    page.root
print(faults() - before)
"""


def faults_of(**environment: str) -> int:
    found = subprocess.run(
        [sys.executable, "-c", PARSING],
        capture_output=True,
        check=True,
        env={**os.environ, **environment},
    )
    return int(found.stdout)


@pytest.mark.skipif(not IS_GLIBC, reason="only glibc's allocator is set")
def test_a_page_reuses_the_memory_of_the_page_before() -> None:
    assert faults_of() < 500


@pytest.mark.skipif(not IS_GLIBC, reason="only glibc's allocator is set")
def test_allocator_settings_of_the_user_are_kept() -> None:
    # Everything is handed back at once: each page has to be given anew.
    assert faults_of(MALLOC_TRIM_THRESHOLD_="0") > 2_000
