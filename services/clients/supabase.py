"""Supabase from outside Postgres: rows as each key sees them, password sign-in, and the Management API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import SecretStr

from services.clients.deadline import remaining
from services.clients.http import CALL_S, USER_AGENT, Answer, HttpClient, Kind, UpstreamError, failure
from services.clients.transport import CONNECT_S, DeadlineTransport, call_deadline
from services.errors import Unavailable
from services.settings import Target

MANAGEMENT = "https://api.supabase.com"
HEALTH_OF = ("auth", "db", "pooler", "rest", "storage")

_CODE_KINDS: Mapping[str, Kind] = {
    "42501": Kind.FORBIDDEN,
    "42P01": Kind.MISSING,
    "42883": Kind.MISSING,
    "57014": Kind.TIMEOUT,
    "PGRST205": Kind.MISSING,
    "PGRST204": Kind.MISSING,
    "PGRST202": Kind.MISSING,
    "PGRST003": Kind.TIMEOUT,
    "PGRST000": Kind.SERVER_ERROR,
    "PGRST001": Kind.SERVER_ERROR,
    "PGRST002": Kind.SERVER_ERROR,
    "PGRST301": Kind.UNAUTHORISED,
    "PGRST302": Kind.UNAUTHORISED,
    "PGRST303": Kind.UNAUTHORISED,
}


class Key(StrEnum):
    """As whom the REST interface is asked."""

    ANON = "anon"
    SERVICE = "service_role"


@dataclass(frozen=True, slots=True)
class Rows:
    """What a table showed: the rows of the page, and the exact number of rows visible to the key."""

    rows: tuple[Mapping[str, Any], ...]
    total: int | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person whom Supabase Auth knows. Roles come from app_metadata; users can edit user_metadata themselves."""

    user_id: str
    email: str
    app_metadata: Mapping[str, Any]
    access_token: SecretStr = field(repr=False)


@dataclass(frozen=True, slots=True)
class Project:
    """status is Supabase's word: ACTIVE_HEALTHY, INACTIVE (paused) ..."""

    ref: str
    name: str
    status: str
    region: str

    @property
    def paused(self) -> bool:
        return self.status in {"INACTIVE", "PAUSING", "PAUSE_FAILED"}


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    name: str
    status: str


@dataclass(frozen=True, slots=True)
class Backups:
    """newest: when the newest completed backup was made; pitr: any moment can be restored."""

    count: int
    newest: datetime | None
    pitr: bool
    kind: str


class SupabaseClient:
    """One project of Supabase. Each part needs its own credential and raises Unavailable where it is not set."""

    def __init__(
        self,
        *,
        url: str | None,
        anon_key: str | None = None,
        service_key: str | None = None,
        management_url: str | None = None,
        access_token: str | None = None,
        ref: str | None = None,
    ) -> None:
        self._url = url
        self._keys = {Key.ANON: anon_key, Key.SERVICE: service_key}
        self._rest: dict[Key, HttpClient] = {}
        self._ref = ref
        self._management = (
            HttpClient("Supabase", management_url or MANAGEMENT, headers={"authorization": f"Bearer {access_token}"})
            if access_token
            else None
        )

    @classmethod
    def of(cls, target: Target) -> SupabaseClient:
        def value(secret: SecretStr | None) -> str | None:
            return secret.get_secret_value() if secret else None

        return cls(
            url=target.supabase_url,
            anon_key=value(target.supabase_anon_key),
            service_key=value(target.supabase_service_key),
            management_url=target.supabase_management_url,
            access_token=value(target.supabase_access_token),
            ref=target.supabase_project_ref,
        )

    def __repr__(self) -> str:
        return f"SupabaseClient({self._ref or 'no ref'})"

    def has(self, key: Key) -> bool:
        return self._url is not None and self._keys[key] is not None

    def rows(self, table: str, *, key: Key, limit: int = 1, select: str = "*", **filters: str) -> Rows:
        """Rows of a table or view as the key sees them; filters as PostgREST writes them (id="eq.1")."""
        answer = self._client(key).request(
            "GET",
            f"/rest/v1/{table}",
            params={"select": select, "limit": str(limit), **filters},
            headers={"prefer": "count=exact"},
        )
        return Rows(tuple(_list(_rest_ok(answer))), _total(answer))

    def rpc(self, function: str, arguments: Mapping[str, Any], *, key: Key) -> Any:
        """What a function answers when it is really called."""
        return _rest_ok(self._client(key).request("POST", f"/rest/v1/rpc/{function}", json=dict(arguments))).json()

    def sign_in(self, email: str, password: str) -> SignedIn:
        """Password sign-in. Raises UpstreamError: unauthorised for wrong credentials."""
        if self._url is None or self._keys[Key.ANON] is None:
            raise self._not_set("supabase_url and supabase_anon_key")
        return _sign_in(self._url, self._keys[Key.ANON] or "", email, password)

    def project(self) -> Project:
        body = self._managed("")
        return Project(str(body["ref"]), str(body["name"]), str(body["status"]), str(body.get("region", "")))

    def health(self) -> list[ServiceHealth]:
        body = self._managed("/health", services=list(HEALTH_OF))
        return [ServiceHealth(str(one["name"]), str(one["status"])) for one in body]

    def backups(self) -> Backups:
        body = self._managed("/database/backups")
        done = [one for one in body.get("backups") or [] if one.get("status") == "COMPLETED"]
        made = [datetime.fromisoformat(str(one["inserted_at"])) for one in done]
        latest_unix = (body.get("physical_backup_data") or {}).get("latest_physical_backup_date_unix")
        if latest_unix:
            made.append(datetime.fromtimestamp(int(latest_unix), UTC))
        physical = any(one.get("is_physical_backup") for one in done)
        return Backups(
            count=len(done),
            newest=max(made, default=None),
            pitr=bool(body.get("pitr_enabled")),
            kind="physical" if physical or latest_unix else "logical",
        )

    def close(self) -> None:
        for client in [*self._rest.values(), *([self._management] if self._management else [])]:
            client.close()

    def _client(self, key: Key) -> HttpClient:
        secret = self._keys[key]
        if self._url is None or secret is None:
            raise self._not_set(f"supabase_url and the {key} key")
        if key not in self._rest:
            headers = {"apikey": secret, "authorization": f"Bearer {secret}"}
            self._rest[key] = HttpClient("Supabase", self._url, headers=headers)
        return self._rest[key]

    def _managed(self, path: str, **params: Any) -> Any:
        if self._management is None or self._ref is None:
            raise self._not_set("supabase_access_token and supabase_project_ref")
        answer = self._management.get(f"/v1/projects/{self._ref}{path}", params=params or None).expect()
        body = answer.json()
        if not isinstance(body, dict | list):
            raise UpstreamError("Supabase", Kind.NOT_UNDERSTOOD, "Supabase answered something unexpected.")
        return body

    def _not_set(self, names: str) -> Unavailable:
        return Unavailable(f"The settings of this target have no {names}.", "Supabase was not asked.", "Set them.")


def _rest_ok(answer: Answer) -> Answer:
    if answer.ok:
        return answer
    try:
        code = str(answer.json().get("code") or "")
    except (UpstreamError, AttributeError):
        code = ""
    error = failure(answer, _CODE_KINDS.get(code))
    error.code = code or None
    raise error


def _auth_failed(error: Exception) -> UpstreamError:
    """The package wraps what the network did in errors of its own; the first of the chain tells."""
    import httpx

    first: BaseException | None = error
    while first is not None and not isinstance(first, httpx.HTTPError):
        first = first.__cause__ or first.__context__
    if isinstance(first, httpx.TimeoutException):
        return UpstreamError("Supabase", Kind.TIMEOUT, "Supabase Auth gave no answer in time.")
    if isinstance(first, httpx.TransportError):
        return UpstreamError("Supabase", Kind.UNREACHABLE, "Supabase Auth cannot be reached.")
    if isinstance(first, httpx.HTTPStatusError) and first.response.status_code >= 500:
        return UpstreamError("Supabase", Kind.SERVER_ERROR, "Supabase Auth failed.", status=first.response.status_code)
    # pydantic's ValidationError (a ValueError) is what a web page with status 200 turns into.
    return UpstreamError("Supabase", Kind.NOT_UNDERSTOOD, "Supabase Auth answered something that is not understood.")


def _list(answer: Answer) -> list[Mapping[str, Any]]:
    body = answer.json()
    if not isinstance(body, list):
        raise UpstreamError("Supabase", Kind.NOT_UNDERSTOOD, "Supabase answered no list of rows.", status=answer.status)
    return body


def _total(answer: Answer) -> int | None:
    total = answer.headers.get("content-range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _sign_in(url: str, key: str, email: str, password: str) -> SignedIn:
    import httpx
    from supabase import AuthApiError, AuthError, ClientOptions, create_client

    http = httpx.Client(
        transport=DeadlineTransport(),
        timeout=httpx.Timeout(CALL_S, connect=CONNECT_S),
        headers={"user-agent": USER_AGENT},
        trust_env=False,
    )
    try:
        options = ClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False)
        with call_deadline(remaining(CALL_S)):
            answer = create_client(url, key, options).auth.sign_in_with_password({"email": email, "password": password})
    except AuthApiError as error:
        wrong = error.status in (400, 401, 403, 422)
        raise UpstreamError(
            "Supabase",
            Kind.UNAUTHORISED if wrong else Kind.SERVER_ERROR,
            "Supabase does not know this e-mail address and password." if wrong else "Supabase Auth failed.",
            status=error.status,
            code=error.code,
        ) from None
    except (AuthError, httpx.HTTPError, ValueError) as error:
        raise _auth_failed(error) from None
    finally:
        http.close()
    if answer.user is None or answer.session is None:
        raise UpstreamError("Supabase", Kind.NOT_UNDERSTOOD, "Supabase Auth signed nobody in.")
    return SignedIn(
        user_id=str(answer.user.id),
        email=str(answer.user.email or email),
        app_metadata=dict(answer.user.app_metadata or {}),
        access_token=SecretStr(answer.session.access_token),
    )
