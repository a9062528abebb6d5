"""ASP.NET post-backs: links and lists that submit their form by a script. No I/O.

`__doPostBack('target', 'argument')` writes both values to hidden fields, and submits
the form without a button.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from selectolax.lexbor import LexborNode

TARGET = "__EVENTTARGET"
ARGUMENT = "__EVENTARGUMENT"

# A quoted text of a script. Inside setTimeout('...') its quotes are escaped.
_TEXT = r"\\?(?:'([^'\\]*+)\\?'|\"([^\"\\]*+)\\?\")"
_CALL = re.compile(
    r"(?:__doPostBack\(|new\s+WebForm_PostBackOptions\()\s*"
    + _TEXT
    + r"\s*,\s*"
    + _TEXT
)
_ATTRIBUTES = ("href", "onclick", "onchange")
#: Maximum length of an attribute that is searched for a post-back.
_LONGEST = 10_000


class PostBack(NamedTuple):
    """The two values that a click on an ASP.NET post-back link writes to hidden
    fields."""

    target: str
    argument: str

    def fields(self) -> dict[str, str]:
        """Return the hidden fields with their values."""
        return {TARGET: self.target, ARGUMENT: self.argument}


def post_back_of(node: LexborNode) -> PostBack | None:
    """Return the post-back that an element triggers; None if it triggers none."""
    attributes = node.attributes
    for name in _ATTRIBUTES:
        script = attributes.get(name) or ""
        found = _CALL.search(script[:_LONGEST])
        if found:
            return PostBack(found[1] or found[2] or "", found[3] or found[4] or "")
    return None
