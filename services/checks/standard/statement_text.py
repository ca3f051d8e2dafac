"""SQL text that may be shown: a statement without its literals and comments, since they may be people's words."""

from __future__ import annotations

import re

from services.clients.redaction import redact

_LONGEST = 200
# In this order: what opens first decides. A text cut off in the middle of a literal ends with it.
_TOKENS = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
      | (?P<name>"(?:[^"]|"")*(?:"|\Z))
      | (?P<text>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z) | (?:[bBxXnN]|[uU]&)?'(?:[^']|'')*(?:'|\Z)
        | \$\$.*?(?:\$\$|\Z) | \$(?P<tag>[A-Za-z_]\w*)\$.*?(?:\$(?P=tag)\$|\Z))
      | (?P<parameter>\$\d+)
      | (?P<number>(?<![\w.$])\d[\w.]*)""",
    re.VERBOSE | re.DOTALL,
)


def without_literals(statement: str) -> str:
    """The statement in one line of at most 200 characters: literals as ?, no comment, nothing like a secret."""

    def blank(found: re.Match[str]) -> str:
        if found["name"] is not None or found["parameter"] is not None:
            return found[0]
        return " " if found["comment"] is not None else "?"

    return redact(" ".join(_TOKENS.sub(blank, statement).split()))[:_LONGEST]
