"""One search for each term, sent as by the form."""

from crawler import crawl
from crawler.testing import FakeSite
from spiders.form_search import FormSearch

PAGE = "https://library.example/search"
FORM = """<form id=search action=/find><input name=q><select name=sort>
<option value=title>Title<option value=year selected>Year</select>
<input type=hidden name=lang value=en><button name=go value=1>Find</button></form>"""


def results(*titles: str, following: str = "") -> str:
    rows = "".join(f"<li><h3>{it}</h3><a href=/b/{it}>more</a>" for it in titles)
    return f"<ol class=results>{rows}</ol>{following}"


def test_every_result_page_of_every_search_is_found() -> None:
    def found(term: str, page: str = "") -> str:
        return f"https://library.example/find?q={term}&sort=title&lang=en&go=1{page}"

    more = f'<a rel=next href="{found("emma", "&page=2")}">next</a>'.replace(
        "&", "&amp;"
    )
    site = FakeSite(
        {
            PAGE: FORM,
            found("emma"): results("Emma", following=more),
            found("emma", "&page=2"): results("Emma-II"),
            found("odes"): results("Odes"),
        }
    )

    report = crawl(FormSearch, terms="emma, odes,", transport=site)

    assert sorted((item["term"], item["title"]) for item in report.items) == [
        ("emma", "Emma"),
        ("emma", "Emma-II"),
        ("odes", "Odes"),
    ]
    assert report.items[0]["url"].startswith("https://library.example/b/")
