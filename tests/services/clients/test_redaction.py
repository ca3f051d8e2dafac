"""What redaction hides, in whatever shape it comes; what it leaves alone; and that it takes time in proportion."""

from __future__ import annotations

import base64
import html
import json
import string
import time
import uuid
from random import Random
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.clients.redaction import HIDDEN, redact, redact_data

WORDS = st.text(alphabet=string.ascii_letters + string.digits + " .,:/-_=\n", max_size=60)
BODY = st.text(alphabet=string.ascii_letters + string.digits, min_size=24, max_size=60)
PREFIXES = ("sk-", "sk-proj-", "sk-svcacct-", "sbp_", "sbp_fc", "sb_secret_", "sb_publishable_", "eyJhbGciOi")
ALNUM = string.ascii_letters + string.digits
RED, PLAIN = "\x1b[31m", "\x1b[0m"


def token(random: Random, alphabet: str = ALNUM, size: int = 40) -> str:
    return "".join(random.choices(alphabet, k=size))


SHAPES = {
    "sk": lambda r: "sk-" + token(r, size=48),
    "sk-proj": lambda r: "sk-proj-" + token(r, ALNUM + "-_", 156),
    "sk-svcacct": lambda r: "sk-svcacct-" + token(r, ALNUM + "-_", 120),
    "sk-admin": lambda r: "sk-admin-" + token(r, ALNUM + "-_", 90),
    "sbp": lambda r: "sbp_" + token(r, "0123456789abcdef"),
    "sbp-scoped": lambda r: "sbp_fc" + token(r, size=50),
    "sb-secret": lambda r: "sb_secret_" + token(r, ALNUM + "-_", 31),
    "sb-publishable": lambda r: "sb_publishable_" + token(r, ALNUM + "-_", 31),
    "jwt": lambda r: ".".join(["eyJ" + token(r, size=33), "eyJ" + token(r, ALNUM + "-_", 90), token(r, size=43)]),
}
WRAPPINGS = {
    "bare": lambda s: f"refused {s} just now",
    "env": lambda s: f"OPENAI_API_KEY={s}\nNEXT=1",
    "json": lambda s: json.dumps({"detail": f"key {s}", "n": 1}),
    "json in json": lambda s: json.dumps(json.dumps({"detail": f"line\n{s}"})),
    "query": lambda s: f"GET /x?apikey={quote(s)}&y=1",
    "encoded": lambda s: "next=" + quote(f"https://h/x?k={s}", safe=""),
    "bearer": lambda s: f"Authorization: Bearer {s}",
    "header": lambda s: f"{{'project-access-token': '{s}'}}",
    "coloured": lambda s: f"key={RED}{s}{PLAIN} end",
    "colour inside": lambda s: f"key {s[:20]}{RED}{s[20:]}{PLAIN} end",
    "escaped colour": lambda s: f"key {s[:20]}\\u001b[1m{s[20:]}\\u001b[0m end",
    "after an escape": lambda s: f"log:\\n{s}\\n",
    "base64": lambda s: "seen " + base64.b64encode(s.encode()).decode(),
    "html": lambda s: f"<b>{html.escape(s)}</b>",
    "wrapped": lambda s: f"key {s[:-20]}\n{'7' + s[-19:]}\nnext line",
}


def fragments(secret: str, size: int = 10) -> list[str]:
    """Every piece of the secret long enough to be of use, apart from its public beginning."""
    body = secret.split("_")[-1] if secret.startswith("sb") else secret.removeprefix("sk-")
    body = body if len(body) > size else secret
    return [body[at : at + size] for at in range(len(body) - size + 1)]


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_no_piece_of_a_token_survives_in_any_wrapping(shape: str, wrapping: str) -> None:
    random = Random(f"{shape}{wrapping}")
    for _ in range(5):
        secret = SHAPES[shape](random)
        if wrapping == "wrapped":
            secret = secret[:-20] + "7" + secret[-19:]
        text = WRAPPINGS[wrapping](secret)
        shown = redact(text)
        assert not [piece for piece in fragments(secret) if piece in shown], shown
        if wrapping == "base64":
            assert base64.b64encode(secret.encode()).decode()[4:20] not in shown
        assert "redacted" in shown


@settings(max_examples=300)
@given(before=WORDS, prefix=st.sampled_from(PREFIXES), body=BODY, after=WORDS)
def test_no_token_of_a_known_shape_survives(before: str, prefix: str, body: str, after: str) -> None:
    assert f"{prefix}{body}" not in redact(f"{before} {prefix}{body} {after}")


KNOWN_WRAPPINGS = {
    "as it is": lambda s: s,
    "url": lambda s: quote(s, safe=""),
    "url, slashes kept": quote,
    "form": quote_plus,
    "json": lambda s: json.dumps(s)[1:-1],
    "json, unicode kept": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "html": html.escape,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "urlsafe base64": lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
    "basic": lambda s: base64.b64encode(f"user:{s}".encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "colour inside": lambda s: f"{s[:4]}{RED}{s[4:9]}{PLAIN}{s[9:]}",
    "wrapped": lambda s: f"{s[:7]}\r\n    {s[7:]}",
}


@settings(max_examples=300)
@given(
    before=WORDS,
    secret=st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=0x17F), min_size=12, max_size=60),
    wrapping=st.sampled_from(sorted(KNOWN_WRAPPINGS)),
    after=WORDS,
)
def test_no_known_secret_survives_in_any_form(before: str, secret: str, wrapping: str, after: str) -> None:
    form = KNOWN_WRAPPINGS[wrapping](secret)
    shown = redact(f"{before}\n{form}\n{after}", [secret])
    if secret not in before + after:
        assert secret not in shown
    core = form[4:-4] if "base64" in wrapping else form[8:-4] if wrapping == "basic" else form
    if core not in f"{before}\n\n{after}":
        assert core not in shown


@given(before=WORDS, secret=BODY, after=WORDS)
def test_no_given_secret_survives_whatever_its_shape(before: str, secret: str, after: str) -> None:
    assert secret not in redact(before + secret + after, [secret])


def test_a_platform_token_known_from_the_settings_is_hidden() -> None:
    secret = str(uuid.UUID(int=0x1234_5678_9ABC_DEF0_1234_5678_9ABC_DEF0))
    assert secret not in redact(f"token {secret} refused", [secret])


def test_the_password_in_a_known_database_address_is_hidden_by_itself() -> None:
    address = "postgresql://postgres:p%40ss%2Fword%21@db.example.com:5432/postgres"
    shown = redact("FATAL: p@ss/word! is wrong, and so is p%40ss%2Fword%21", [address])
    assert "word" not in shown


@settings(max_examples=300)
@given(password=st.text(alphabet=ALNUM + "@:!#%/$&+", min_size=8, max_size=30), encoded=st.booleans())
def test_no_password_of_a_database_address_survives(password: str, encoded: bool) -> None:
    written = quote(password, safe="") if encoded else password
    before, after = "cannot reach postgresql://someone:", "@db.example.com:5432/things today"
    shown = redact(f"{before}{written}{after}")
    assert shown == f"{before}{HIDDEN}{after}"


def test_a_whole_address_that_is_encoded_loses_its_password() -> None:
    address = quote("postgresql://someone:hunter2hunter2@db.example.com/x", safe="")
    assert "hunter2" not in redact(f"?next={address}")


MAILS = (
    "ada.lovelace+x@example.com",
    "o'brien@mail.example.co.uk",
    "ADA@EXAMPLE.ORG",
    "a_b-c%d@sub.domain.example.museum",
    "jörg@exämple.de",
    "x@y.io",
)


@pytest.mark.parametrize("mail", MAILS)
@pytest.mark.parametrize(
    "wrapped",
    [
        "no row for {} here",
        '{{"user": "{}"}}',
        "mailto:{}?subject=x",
        "<{}>",
        "({}),",
        "user={};",
        "GET /u?mail={}&x=1",
    ],
)
def test_no_e_mail_address_survives(mail: str, wrapped: str) -> None:
    shown = redact(wrapped.format(mail))
    assert mail not in shown
    assert mail.partition("@")[2] not in shown


@pytest.mark.parametrize("mail", ["ada@example.com", "ada.lovelace+x@example.com"])
@pytest.mark.parametrize(
    "encode", [lambda m: quote(m, safe=""), lambda m: m.replace("@", "\\u0040"), lambda m: m.replace("@", "&#64;")]
)
def test_an_encoded_e_mail_address_is_hidden(mail: str, encode: object) -> None:
    shown = redact(f"GET /u?mail={encode(mail)}&x=1")  # type: ignore[operator]
    assert "example" not in shown
    assert "lovelace" not in shown


@settings(max_examples=300)
@given(text=st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@settings(max_examples=200)
@given(
    pieces=st.lists(
        st.sampled_from(
            ["password=", "Bearer ", "sk-", "a" * 20, "@", "x.com", "://", ":", "'", '"', "\n", "%40", "eyJ", "7", " "]
        ),
        max_size=14,
    )
)
def test_redacting_twice_changes_nothing_more_in_what_looks_like_secrets(pieces: list[str]) -> None:
    once = redact("".join(pieces))
    assert redact(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2hunter2",
        '{"api_key": "hunter2hunter2"}',
        '{\\"api_key\\": \\"hunter2hunter2\\"}',
        "Authorization: Bearer hunter2hunter2",
        "authorization: Basic hunter2hunter2",
        "apikey: hunter2hunter2",
        "Project-Access-Token: hunter2hunter2",
        "SUPABASE_SERVICE_ROLE_KEY=hunter2hunter2",
        "JWT_SECRET: 'hunter2 hunter2'",
        "SECRET_KEY=is-hunter2",
        "host=db password=hunter2 user=x",
        "password%3Dhunter2%26user",
        "GET /callback?code=hunter2hunter2&x=1",
        "Bearer%20hunter2hunter2",
        "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
    ],
)
def test_a_value_beside_a_telling_name_is_hidden(text: str) -> None:
    assert "hunter2" not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        'relation "public.user_tier_limits" does not exist',
        "The risk-free tier has 5 calls; task-1 is done",
        "http://127.0.0.1:40117/health answered 404",
        "http://127.0.0.1:40117/users/@me answered 404",
        "3b7ad2f5e90c4186d72fb3a5c8e1049d6f2ab873",
        "SECRET_KEY: Field required [type=missing]",
        "api_key: missing, and password: not set.",
        "Bearer authentication is expected",
        "psycopg.OperationalError: connection to server at 127.0.0.1, port 5432 failed",
        'File "/app/main.py", line 12, in <module>\n    from app import admin',
        "total_tokens=120 max_tokens: 5",
    ],
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert redact(text) == text


def test_data_is_redacted_to_its_depth_and_keeps_its_shape() -> None:
    data = {"a": ["sk-abcdefghijklmnop", 3, None], "b": {"c": "plain", "d": True}, "ada@example.com": 1}
    assert redact_data(data) == {"a": [HIDDEN, 3, None], "b": {"c": "plain", "d": True}, "[e-mail]": 1}


LINE = '2026-03-01T12:00:00Z INFO 127.0.0.1:40117 - "GET /api/v1/entries?limit=20 HTTP/1.1" 200 user=ada key=value\n'
HOSTILE = {
    "a log": LINE,
    "dots": "a.",
    "letters": "a",
    "addresses": "a://b:c",
    "blanks": " ",
    "ats": "a@",
    "names": "password=",
    "unfinished names": "password",
    "colours": "\x1b[31m",
    "prefixes": "sk-",
    "lines": "sk-aaaa1\n",
    "encoded": "%3A%2F%2F",
    "keys": "-----BEGIN PRIVATE KEY-----",
    "quotes": 'password:\\"\\"',
    "webs": "eyJ",
    "bearers": "Bearer ",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_text_and_not_with_its_square(name: str) -> None:
    """Eight times the text may take about eight times as long; the square would be 64 times."""
    known = ["k" * 30, "unseen-secret-value"]

    def took(size: int) -> float:
        text = HOSTILE[name] * (size // len(HOSTILE[name]))
        best = 1e9
        for _ in range(3):
            began = time.process_time()
            redact(text, known)
            best = min(best, time.process_time() - began)
        return best

    small, large = took(20_000), took(160_000)
    assert large < 24 * max(small, 0.001)


def test_a_megabyte_of_log_loses_every_secret_in_it() -> None:
    random = Random(7)
    secrets = [SHAPES[name](random) for name in SHAPES for _ in range(20)]
    lines = [LINE] * (1_000_000 // len(LINE))
    for number, secret in enumerate(secrets):
        lines[number * 50] = f"key {secret}\n"
    shown = redact("".join(lines))
    assert not [secret for secret in secrets if secret[12:32] in shown]
    assert shown.count(LINE) == len(lines) - len(secrets)
