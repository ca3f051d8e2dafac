"""A column's name tells that it is private in any
spelling; numbers of tokens, and times, are not taken for secrets."""

from __future__ import annotations

import pytest

from services.console.private_names import is_address, is_private

PRIVATE = """
password password_hash passwordHash PasswordHash passwordhash PASSWORD userPassword user_pwd phone phoneNumber
phone_number phonenumber mobile Token apiToken api_token apitoken access_token accessToken refreshToken refresh_tokens
token tokens usertokens api_key apikey apiKey APIKey
ApiKey private_key privateKey service_key secret clientSecret client_secret clientsecret
jwt JWTToken ssn userSSN iban IBAN home_address addressLine1 street zip_code cookie otp content_hash salt
encrypted_password raw_user_meta_data identity_data creditCard card_number passport_number token_usage_text
"""

SHOWN = """
id name_of_plan tier content keyboard key primary_key key_value idempotency_key monkey secretary passed compass
created_at status model prompt hashtag saltatory addressee_count caliban microphone dropdown
"""

NUMBERS = """
totaltokens token_count tokenCount tokens_used tokensUsed
total_tokens totalTokens tokens max_tokens prompt_tokens completion_tokens
input_tokens output_tokens cost_per_token password_count email_count emails_sent_total phone_count address_count
"""

NO_VALUES = ("password_changed_at", "passwordChangedAt", "token_expires_at", "phone_confirmed_at", "has_password")


@pytest.mark.parametrize("column", PRIVATE.split())
def test_private_in_any_spelling(column: str) -> None:
    assert is_private(column, "text")


@pytest.mark.parametrize("column", SHOWN.split())
def test_others_are_shown(column: str) -> None:
    assert not is_private(column, "text")
    assert not is_address(column, "text")


@pytest.mark.parametrize("column", NUMBERS.split())
def test_numbers_of_them_are_shown_and_texts_of_that_name_are_not(column: str) -> None:
    for kind in ("integer", "bigint", "numeric(10,2)", "double precision", "integer[]"):
        assert not is_private(column, kind) and not is_address(column, kind)
    assert is_private(column, "text") or is_address(column, "text")


def test_usage_by_kind_is_shown_and_a_number_that_is_one_is_not() -> None:
    assert not is_private("tokens_used", "jsonb") and is_private("refresh_tokens", "jsonb")
    assert is_private("tokens", "jsonb") and is_private("token", "bigint") and is_private("otp", "integer")
    assert is_private("phone", "bigint") and is_private("phone_number", "bigint")


@pytest.mark.parametrize("column", NO_VALUES)
@pytest.mark.parametrize("kind", ["timestamp with time zone", "date", "boolean"])
def test_when_and_whether_are_shown(column: str, kind: str) -> None:
    assert not is_private(column, kind)


@pytest.mark.parametrize("column", ["email", "userEmail", "useremail", "UserEMail", "e_mail", "mail", "email_address"])
def test_addresses_in_any_spelling(column: str) -> None:
    assert is_address(column, "text") and is_address(column, "character varying(255)")
    assert not is_address(column, "boolean") and not is_address(column, "timestamp with time zone")
