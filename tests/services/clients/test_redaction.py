"""What redaction hides, and what it leaves alone."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clients.redaction import HIDDEN, redact, redact_data

WORDS = st.text(alphabet=string.ascii_letters + string.digits + " .,:/-_=\n", max_size=60)
BODY = st.text(alphabet=string.ascii_letters + string.digits, min_size=24, max_size=60)
PREFIXES = ("sk-", "sk-proj-", "sk-svcacct-", "sbp_", "sbp_fc", "sb_secret_", "sb_publishable_", "eyJhbGciOi")


@given(before=WORDS, prefix=st.sampled_from(PREFIXES), body=BODY, after=WORDS)
def test_no_token_of_a_known_shape_survives(before: str, prefix: str, body: str, after: str) -> None:
    assert f"{prefix}{body}" not in redact(f"{before} {prefix}{body} {after}")


@given(before=WORDS, secret=BODY, after=WORDS)
def test_no_given_secret_survives_whatever_its_shape(before: str, secret: str, after: str) -> None:
    assert secret not in redact(before + secret + after, [secret])


@given(password=st.text(alphabet=string.ascii_letters + string.digits + "@:!#%", min_size=8, max_size=30))
def test_no_password_of_a_database_address_survives(password: str) -> None:
    shown = redact(f"cannot reach postgresql://postgres:{password}@db.example.com:5432/postgres today")
    assert password not in shown
    assert "db.example.com" in shown


@given(text=st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2hunter2",
        '{"api_key": "hunter2hunter2"}',
        "Authorization: Bearer hunter2hunter2",
        "apikey: hunter2hunter2",
        "Project-Access-Token: hunter2hunter2",
    ],
)
def test_a_value_beside_a_telling_name_is_hidden(text: str) -> None:
    assert "hunter2" not in redact(text)


def test_e_mail_addresses_are_hidden() -> None:
    assert redact("no row for ada.lovelace+x@example.com here") == "no row for [e-mail] here"


@pytest.mark.parametrize(
    "text",
    [
        'relation "public.user_tier_limits" does not exist',
        "The risk-free tier has 5 calls; task-1 is done",
        "http://127.0.0.1:40117/health answered 404",
        "3b7ad2f5e90c4186d72fb3a5c8e1049d6f2ab873",
    ],
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert redact(text) == text


def test_data_is_redacted_to_its_depth_and_keeps_its_shape() -> None:
    data = {"a": ["sk-abcdefghijklmnop", 3, None], "b": {"c": "plain", "d": True}}
    assert redact_data(data) == {"a": [HIDDEN, 3, None], "b": {"c": "plain", "d": True}}
