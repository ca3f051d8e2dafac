"""Supabase's Data API (PostgREST): rows and functions as each key, or a signed-in person, sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import SecretStr

from services.clients.http import Answer, HttpClient, Kind, UpstreamError, failure
from services.errors import Unavailable

# Whole codes first, then classes: the first two characters of an SQLSTATE.
_CODE_KINDS: Mapping[str, Kind] = {
    "25006": Kind.FORBIDDEN,
    "42501": Kind.FORBIDDEN,
    "42P01": Kind.MISSING,
    "42703": Kind.MISSING,
    "42883": Kind.MISSING,
    "57014": Kind.TIMEOUT,
    "PGRST000": Kind.SERVER_ERROR,
    "PGRST001": Kind.SERVER_ERROR,
    "PGRST002": Kind.SERVER_ERROR,
    "PGRST003": Kind.TIMEOUT,
    "PGRST106": Kind.MISSING,
    "PGRST116": Kind.MISSING,
    "PGRST125": Kind.MISSING,
    "PGRST126": Kind.MISSING,
    "PGRST202": Kind.MISSING,
    "PGRST204": Kind.MISSING,
    "PGRST205": Kind.MISSING,
    "PGRST300": Kind.SERVER_ERROR,
    "PGRST301": Kind.UNAUTHORISED,
    "PGRST302": Kind.UNAUTHORISED,
    "PGRST303": Kind.UNAUTHORISED,
}
_CLASS_KINDS: Mapping[str, Kind] = {
    "08": Kind.SERVER_ERROR,
    "53": Kind.SERVER_ERROR,
    "54": Kind.SERVER_ERROR,
    "55": Kind.SERVER_ERROR,
    "57": Kind.SERVER_ERROR,
    "58": Kind.SERVER_ERROR,
    "XX": Kind.SERVER_ERROR,
}


class Key(StrEnum):
    """As whom the REST interface is asked."""

    ANON = "anon"
    SERVICE = "service_role"


@dataclass(frozen=True, slots=True)
class Rows:
    """What a table showed: the rows of the page, and the exact number of rows visible to the key."""

    rows: tuple[Mapping[str, Any], ...] = field(repr=False)
    total: int | None


class SupabaseRest:
    """Needs the project's address and the key that is asked with; raises Unavailable where one is not set."""

    def __init__(
        self, *, url: str | None, anon_key: str | SecretStr | None, service_key: str | SecretStr | None
    ) -> None:
        self._url = url
        self._keys = {Key.ANON: hidden(anon_key), Key.SERVICE: hidden(service_key)}
        self._rest: dict[Key, HttpClient] = {}

    def has(self, key: Key) -> bool:
        return self._url is not None and self._keys[key] is not None

    def rows(
        self,
        table: str,
        *,
        key: Key = Key.ANON,
        as_user: SecretStr | None = None,
        limit: int = 1,
        select: str = "*",
        **filters: str,
    ) -> Rows:
        """Rows of a table or view as the key sees them; filters as PostgREST writes them (id="eq.1").

        as_user: a signed-in person's access token (`sign_in(...).access_token`); the rows are then what the database
        role in it, `authenticated`, may see of this person's
        """
        answer = self._client(key).request(
            "GET",
            f"/rest/v1/{table}",
            params={"select": select, "limit": str(limit), **filters},
            headers={"prefer": "count=exact"} | _as(as_user),
        )
        return Rows(_rest_ok(answer).read(_rows), _total(answer))

    def rpc(
        self,
        function: str,
        arguments: Mapping[str, Any],
        *,
        key: Key = Key.ANON,
        as_user: SecretStr | None = None,
    ) -> Any:
        """What a function answers when it is really called; None for one that returns nothing."""
        answer = self._client(key).request(
            "POST", f"/rest/v1/rpc/{function}", json=dict(arguments), headers=_as(as_user)
        )
        return None if _rest_ok(answer).status == 204 else answer.json()

    def _client(self, key: Key) -> HttpClient:
        secret = self._keys[key]
        if self._url is None or secret is None:
            raise not_set(f"supabase_url and the {key} key")
        if key not in self._rest:
            headers = {"apikey": secret, "authorization": bearer(secret)}
            self._rest[key] = HttpClient("Supabase", self._url, headers=headers)
        return self._rest[key]

    def _close_rest(self) -> None:
        for client in self._rest.values():
            client.close()


def kind_of_code(code: str) -> Kind | None:
    """The kind that a code of PostgREST or an SQLSTATE stands for; None where the HTTP status tells more."""
    return _CODE_KINDS.get(code) or (_CLASS_KINDS.get(code[:2]) if len(code) == 5 else None)


def hidden(value: str | SecretStr | None) -> SecretStr | None:
    """A key as it may be kept; None for one that is not set."""
    return SecretStr(value) if isinstance(value, str) else value


def bearer(secret: SecretStr) -> SecretStr:
    return SecretStr(f"Bearer {secret.get_secret_value()}")


def not_set(names: str) -> Unavailable:
    return Unavailable(f"The settings of this target have no {names}.", "Supabase was not asked.", "Set them.")


def _as(person: SecretStr | None) -> dict[str, str | SecretStr]:
    return {} if person is None else {"authorization": bearer(person)}


def _rest_ok(answer: Answer) -> Answer:
    if not answer.ok:
        raise _refusal(answer)
    return answer


def _refusal(answer: Answer) -> UpstreamError:
    """The error for a failing status, with the code, and the hint that names the missing GRANT where one is missing."""
    try:
        code, said = answer.read(lambda body: (_text(body.get("code")), _sentence(body)))
    except UpstreamError:
        code, said = "", ""
    # Behind a gateway that answers for the database, its own statuses say more than any code in the body.
    kind = None if answer.status in (402, 429, 540, 544) else kind_of_code(code)
    return failure(answer, kind, code=answer.redacted(code)[:60] or None, said=said)


def _sentence(body: Mapping[str, Any]) -> str:
    message, hint = _text(body.get("message")), _text(body.get("hint"))
    return " ".join(part for part in (message, f"({hint})" if message and hint else "") if part)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _rows(body: Any) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
        raise TypeError
    return tuple(body)


def _total(answer: Answer) -> int | None:
    total = answer.headers.get("content-range", "").rpartition("/")[2]
    return int(total) if total.isascii() and total.isdigit() and len(total) < 19 else None
