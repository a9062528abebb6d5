"""Which URLs count as the same page, by the settings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.url_identity import LISTS, UrlIdentity, check_ignored

SITE = "https://a.example"


@pytest.mark.parametrize(
    ("ignored", "url", "identity"),
    [
        (["gclid"], "/p?gclid=1", "/p"),
        (["gclid"], "/p?id=3&gclid=1", "/p?id=3"),
        (["gclid"], "/p?GCLID=1&id=3", "/p?id=3"),
        (["gclid"], "/p?gclid", "/p"),
        (["gclid"], "/p?gclids=1", "/p?gclids=1"),
        (["utm_*"], "/p?utm_source=a&utm_medium=b&id=3", "/p?id=3"),
        (["@tracking"], "/p?utm_x=a&fbclid=2&mc_eid=3&q=1", "/p?q=1"),
        (["@tracking", "ref"], "/p?ref=a&q=1", "/p?q=1"),
        (["@sessions"], "/p;jsessionid=7F?PHPSESSID=9&q=1", "/p?q=1"),
        (["@sessions"], "/a;v=1;jsessionid=7/b", "/a;v=1/b"),
        (["@sessions"], "/ASPSESSIONIDQ?aspsessionidqq=1", "/ASPSESSIONIDQ"),
        ([], "/p?utm_source=a", "/p?utm_source=a"),
    ],
)
def test_ignored_parameters_are_removed(
    ignored: list[str], url: str, identity: str
) -> None:
    assert UrlIdentity(ignored).of(SITE + url) == SITE + identity


@pytest.mark.parametrize(
    ("url", "identity"),
    [
        ("/p?b=2&a=1", "/p?a=1&b=2"),
        ("/p?a=2&a=1", "/p?a=1&a=2"),
        ("/p", "/p"),
        ("/p?q", "/p?q"),
    ],
)
def test_the_order_of_a_query_counts_unless_it_is_ignored(
    url: str, identity: str
) -> None:
    assert UrlIdentity(sort_query=True).of(SITE + url) == SITE + identity
    assert UrlIdentity(["x"]).of(SITE + url) == SITE + url


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "utm_x", "sid"]), st.text("01", max_size=2)
        )
    )
)
def test_the_identity_of_an_identity_is_itself(pairs: list[tuple[str, str]]) -> None:
    identity = UrlIdentity(["@tracking", "@sessions"], sort_query=True)
    query = "&".join(f"{name}={value}" for name, value in pairs)
    once = identity.of(f"{SITE}/p?{query}" if query else f"{SITE}/p")

    assert identity.of(once) == once
    assert "utm_x" not in once


def test_by_default_nothing_is_ignored() -> None:
    assert not UrlIdentity()
    assert UrlIdentity(["a"])
    assert UrlIdentity(sort_query=True)


@pytest.mark.parametrize("name", ["@nothing", "", "a=b", "a&b", "a b"])
def test_an_invalid_parameter_name_is_an_error(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"not the name of a (list of URL|URL) parameter"
    ):
        check_ignored([name])


def test_the_built_in_lists_contain_parameter_names() -> None:
    for names in LISTS.values():
        check_ignored(names)
        assert len(set(names)) == len(names)
        assert [name.lower() for name in names] == list(names)
