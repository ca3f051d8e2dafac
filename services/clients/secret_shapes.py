"""What secrets and personal addresses look like in a text, also when they are escaped or cut by colour codes.

Every pattern is linear: runs are bounded or possessive, and each run is tried from its beginning only.
"""

from __future__ import annotations

import re

# A colour code may stand inside a token, itself escaped or not.
_COLOUR = r"(?:\x1b|\\u001[bB]|\\x1[bB]|\\033|\\e)\[[0-9;]{0,12}[A-Za-z]"
# A token that the line ended goes on at the beginning of the next, where that looks like no word: long, with a digit.
_WRAPPED = r"(?:\r?\n[ \t]{0,8}(?=[A-Za-z_-]{0,64}\d)[A-Za-z0-9_-]{16,}+)"
_REST = rf"(?:[A-Za-z0-9_*-]++|{_COLOUR}|{_WRAPPED})*+"
_JWT_REST = rf"(?:[A-Za-z0-9_.-]++|{_COLOUR}|{_WRAPPED})*+"
_BASE64_REST = r"[A-Za-z0-9+/_-]{8,}+={0,2}"
# What may stand before "sk-" so that it is not the end of a word ("task-1"): no letter or digit, or the end of an
# escape (%3D, \n, \u003d) or of a colour code.
_BEGINS = (
    r"sk-(?:(?<![A-Za-z0-9]sk-)|(?<=%[0-9A-Fa-f]{2}sk-)|(?<=\\[nrtbf]sk-)|(?<=\\u[0-9A-Fa-f]{4}sk-)|(?<=[0-9;\[]msk-))"
)


def _split(prefix: str) -> str:
    """A prefix whose characters colour codes may part."""
    return rf"(?:{_COLOUR}){{0,3}}".join(re.escape(character) for character in prefix)


TOKENS: tuple[re.Pattern[str], ...] = (
    re.compile(rf"{_split('sk-')}(?:{_COLOUR})?(?:proj|svcacct|admin|None)-{_REST}"),
    re.compile(rf"{_BEGINS}(?:{_COLOUR})?[A-Za-z0-9_*-]{{4}}{_REST}"),
    re.compile(rf"{_split('sbp_')}{_REST}"),
    re.compile(rf"sb_(?:secret|publishable)_{_REST}"),
    re.compile(rf"eyJ(?:{_COLOUR})?[A-Za-z0-9_-]{{4}}{_JWT_REST}"),
    # The beginnings of sk-, sbp_, sb_secret_, sb_publishable_ and eyJ in base64.
    re.compile(rf"(?<![A-Za-z0-9+/])(?:c2st|c2JwX|c2Jfc2VjcmV0|c2JfcHVibGlzaGFibGV|ZXlK){_BASE64_REST}"),
    re.compile(r"AGE-SECRET-KEY-[A-Z0-9-]{1,120}", re.IGNORECASE),
    re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,8000}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"),
)

_NAME = (
    r"(?:pass(?:word|wd|phrase)|pwd|secret(?:[_-]?key)?|(?:api|anon|service(?:[_-]role)?|jwt|private|openai|signing)"
    r"[_-]?key|apikey|(?:access|refresh|auth|api|bearer|railway|management|bot|id)[_-]?token|project-access-token"
    r"|jwt[_-]?secret|client[_-]?secret|credentials?)"
)
# Words that follow such a name in ordinary sentences and are no value: "SECRET_KEY: field required".
_ORDINARY = (
    r"(?!\[redacted\]|(?:not|is|are|was|were|has|have|must|may|cannot|can|should|field|value|input|none|null|true|false"
    r"|missing|required|invalid|unset|set|empty|absent|present|wrong|malformed|rejected|expired|str|string|the|a|an|no"
    r"|of|for|and|or|in|to|at|by|from|on|with|this|it|that|which|SecretStr|Optional|environment|variable)"
    r"(?(quote)(?=\\{0,3}[\"'])|(?=[\s,;)\]}]|\.(?:\s|$)|$)))"
)
NAMED = re.compile(
    rf"(?P<head>{_NAME}(?:\\{{0,3}}[\"'])?\s{{0,4}}(?:=|:|%3D|%3A|=>)\s{{0,4}}(?P<quote>\\{{0,3}}[\"'])?){_ORDINARY}"
    r"(?P<value>(?(quote)[^\"'\\\n]|[^\s\"',;&}\\]){1,2000}+)",
    re.IGNORECASE,
)
IN_QUERY = re.compile(
    r"(?P<head>(?:[?&]|%3F|%26)(?:token|key|code|sig|signature|secret|access_token|refresh_token)(?:=|%3D))"
    r"(?!\[redacted\])[^\s&\"'<>]{1,2000}+",
    re.IGNORECASE,
)
AUTHORIZATION = re.compile(
    r"(?P<head>\bauthorization(?:\\{0,3}[\"'])?\s{0,4}[=:]\s{0,4}(?:\\{0,3}[\"'])?(?:basic|bearer|token)\s{1,4})"
    r"(?!\[redacted\])[A-Za-z0-9._~+/=-]{3,}+",
    re.IGNORECASE,
)
BEARER = re.compile(
    r"(?P<head>\bBearer(?:\s{1,4}|%20|\+))(?!\[redacted\]"
    r"|(?:authentication|authorization|auth|tokens?|schemes?|headers?|credentials?|realm|format|keys?)\b)"
    r"[A-Za-z0-9._~+/=-]{6,}+",
    re.IGNORECASE,
)

# scheme://user:password@, where the password may itself hold an @. On the web, a port and a path are no password.
DSN = re.compile(
    r"(?P<head>(?<![A-Za-z0-9+.-])(?:(?P<web>https?|wss?)|(?!https?:|wss?:)[a-z][a-z0-9+.-]{0,30})://[^\s:/@]{0,200}:)"
    r"(?(web)(?!\d{1,5}(?:[/?#]|\s|$)))(?P<password>\S{1,400})@",
    re.IGNORECASE,
)
ENCODED_DSN = re.compile(r"(?P<head>%3A%2F%2F[^\s%]{0,200}(?:%3A|:))(?P<password>\S{1,600}?)(?=%40)", re.IGNORECASE)

_AT = r"(?:@|%40|\\u0040|&#64;)"
_DOMAIN = r"(?:[\w-]{1,63}(?:\.|%2E)){1,8}[^\W\d_]{2,24}"
MAIL = re.compile(rf"(?<![\w.+'-])[\w.+'-]++(?:%2B[\w.+'-]++)?{_AT}{_DOMAIN}", re.IGNORECASE)
MAIL_WITH_PERCENT = re.compile(rf"(?<![\w.%+'-])[\w.%+'-]++@{_DOMAIN}")
