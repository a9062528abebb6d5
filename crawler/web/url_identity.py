"""Decides which URLs count as the same page although their canonical forms differ.

The identity of a URL is a URL without the ignored parameters, and with a sorted query
if the settings ask for that. Identities are only compared, never requested. No I/O, no
clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate

#: Query parameters that tell a site from which campaign or mail a visitor comes.
TRACKING = (
    *("utm_*", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "gad_source", "srsltid"),
    *("fbclid", "msclkid", "yclid", "ysclid", "twclid", "ttclid", "li_fat_id"),
    *("igshid", "igsh", "mc_cid", "mc_eid", "_ga", "_gl", "_hsenc", "_hsmi"),
    *("hsctatracking", "mkt_tok", "oly_anon_id", "oly_enc_id", "vero_id", "vero_conv"),
    *("wickedid", "s_cid", "ml_subscriber", "ml_subscriber_hash", "rb_clickid"),
    *("pk_*", "piwik_*", "mtm_*", "matomo_*", "__s", "epik", "irclickid", "cvid"),
)
#: Query parameters that hold the id of a visitor's session.
SESSIONS = (
    *("jsessionid", "phpsessid", "aspsessionid*", "asp.net_sessionid", "sessionid"),
    *("session_id", "sessid", "sid", "cfid", "cftoken", "zenid", "oscsid", "psid"),
)
#: Built-in lists of query parameters, by the names that settings use for them.
LISTS = {"@tracking": TRACKING, "@sessions": SESSIONS}


class UrlIdentity:
    """Reduces canonical URLs to their identity.

    `ignored` names parameters ("*" stands for any characters), or the built-in lists
    "@tracking" and "@sessions". Upper and lower case count as equal. Session ids after
    a ";" in the path count as parameters, too.
    """

    def __init__(
        self, ignored: Iterable[str] = (), *, sort_query: bool = False
    ) -> None:
        names = [name for each in ignored for name in LISTS.get(each, (each,))]
        pattern = "|".join(translate(name.lower()) for name in names)
        self._is_ignored = re.compile(pattern).match if names else None
        self._sorts = sort_query

    def __bool__(self) -> bool:
        """Return whether the identity of any URL may differ from the URL."""
        return self._is_ignored is not None or self._sorts

    def of(self, url: str) -> str:
        """Return the identity of a canonical URL."""
        path, mark, query = url.partition("?")
        if ";" in path and self._is_ignored is not None:
            path = self._without(path, ";")
        if not mark:
            return path
        pairs = query.split("&")
        if (is_ignored := self._is_ignored) is not None:
            pairs = [pair for pair in pairs if not is_ignored(_name(pair))]
        if self._sorts:
            pairs.sort()
        return f"{path}?{'&'.join(pairs)}" if pairs else path

    def _without(self, path: str, mark: str) -> str:
        assert self._is_ignored is not None
        segments = []
        for segment in path.split("/"):
            name, *pairs = segment.split(mark)
            kept = [pair for pair in pairs if not self._is_ignored(_name(pair))]
            segments.append(mark.join([name, *kept]))
        return "/".join(segments)


def _name(pair: str) -> str:
    return pair.partition("=")[0].lower()


def check_ignored(names: Iterable[str]) -> None:
    """Raise ValueError if the names of ignored query parameters contain an unknown list
    such as "@foo", or an invalid parameter name."""
    for name in names:
        if name.startswith("@") and name not in LISTS:
            raise ValueError(
                f"{name!r} is not the name of a list of URL parameters; use "
                f"{' or '.join(LISTS)}"
            )
        if not name or set(name) & set("&=?# "):
            raise ValueError(
                f"{name!r} is not the name of a URL parameter; give a name such as "
                "'utm_*'"
            )
