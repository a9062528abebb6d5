"""Which URLs are the same page, beyond their canonical form: as a person asks for it.

The identity of a URL is a URL itself, without the parameters that do not count, and
with its query in order, where that is wanted. It is compared, and never asked for.
No I/O, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate

#: Parameters by which campaigns and mails are told apart.
TRACKING = (
    *("utm_*", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "gad_source", "srsltid"),
    *("fbclid", "msclkid", "yclid", "ysclid", "twclid", "ttclid", "li_fat_id"),
    *("igshid", "igsh", "mc_cid", "mc_eid", "_ga", "_gl", "_hsenc", "_hsmi"),
    *("hsctatracking", "mkt_tok", "oly_anon_id", "oly_enc_id", "vero_id", "vero_conv"),
    *("wickedid", "s_cid", "ml_subscriber", "ml_subscriber_hash", "rb_clickid"),
    *("pk_*", "piwik_*", "mtm_*", "matomo_*", "__s", "epik", "irclickid", "cvid"),
)
#: Parameters by which servers tell visitors apart.
SESSIONS = (
    *("jsessionid", "phpsessid", "aspsessionid*", "asp.net_sessionid", "sessionid"),
    *("session_id", "sessid", "sid", "cfid", "cftoken", "zenid", "oscsid", "psid"),
)
#: Lists that may be named in place of their members.
LISTS = {"@tracking": TRACKING, "@sessions": SESSIONS}


class UrlIdentity:
    """Gives the identity of canonical URLs.

    `ignored` names parameters, "*" standing for any letters, or the shipped lists
    "@tracking" and "@sessions". Case does not count. Session ids that stand behind a
    ";" of the path are parameters, too.
    """

    def __init__(
        self, ignored: Iterable[str] = (), *, sort_query: bool = False
    ) -> None:
        names = [name for each in ignored for name in LISTS.get(each, (each,))]
        pattern = "|".join(translate(name.lower()) for name in names)
        self._is_ignored = re.compile(pattern).match if names else None
        self._sorts = sort_query

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return self._is_ignored is not None or self._sorts

    def of(self, url: str) -> str:
        """The identity of a canonical URL."""
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
    """ValueError for a list that does not exist, or what is no name."""
    for name in names:
        if name.startswith("@") and name not in LISTS:
            raise ValueError(f"there is no list {name!r}; there are {', '.join(LISTS)}")
        if not name or set(name) & set("&=?# "):
            raise ValueError(f"{name!r} is no name of a parameter, such as 'utm_*'")
