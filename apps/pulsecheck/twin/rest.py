"""How PulseCheck reaches its rows: Supabase REST over HTTP, with one key; it never opens a database connection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

Row = dict[str, Any]

TIMEOUT_S = 8.0
MISSING_CODES = frozenset({"42P01", "PGRST205", "42703", "PGRST204", "PGRST202", "42883"})


class RestError(Exception):
    """Supabase refused or could not be reached; status 0 = no answer. The text is what the log shows."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code or status}: {message}")
        self.status = status
        self.code = code
        self.message = message

    @property
    def missing(self) -> bool:
        """The relation, column or function is not there (as opposed to hidden, refused or unreachable)."""
        return self.code in MISSING_CODES

    @property
    def refused(self) -> bool:
        """The rights of the key do not reach: missing grant, or a row-level security policy."""
        return self.code == "42501"


class Rest:
    """Rows through /rest/v1. url: the project's address; key: goes out as apikey and as bearer token."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=f"{url.rstrip('/')}/rest/v1",
            headers={"apikey": key, "Authorization": f"Bearer {key}"},
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def select(self, table: str, **filters: str) -> list[Row]:
        """Rows of a table or view; filters as PostgREST writes them: id="eq.1", order="created_at.desc"."""
        rows = (await self._send("GET", table, params=filters)).json()
        return rows if isinstance(rows, list) else []

    async def first(self, table: str, **filters: str) -> Row | None:
        rows = await self.select(table, limit="1", **filters)
        return rows[0] if rows else None

    async def count(self, table: str, **filters: str) -> int:
        """The exact number of rows, from the Content-Range header ("0-0/17", "*/0")."""
        response = await self._send(
            "GET", table, params={"select": "*", **filters, "limit": "1"}, headers={"Prefer": "count=exact"}
        )
        total = response.headers.get("content-range", "").rpartition("/")[2]
        if not total.isdigit():
            raise RestError(response.status_code, "", "the answer carries no row count")
        return int(total)

    async def insert(self, table: str, row: Mapping[str, Any]) -> Row:
        response = await self._send("POST", table, json=row, headers={"Prefer": "return=representation"})
        rows = response.json()
        if not isinstance(rows, list) or not rows:
            raise RestError(response.status_code, "", f"the new row of {table} did not come back")
        return dict(rows[0])

    async def update(self, table: str, values: Mapping[str, Any], **filters: str) -> None:
        await self._send("PATCH", table, json=values, params=filters)

    async def _send(
        self,
        method: str,
        table: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | Sequence[Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            response = await self._client.request(method, f"/{table}", params=params, json=json, headers=headers)
        except httpx.HTTPError as error:
            raise RestError(0, "", f"no answer from Supabase ({type(error).__name__})") from error
        if response.is_success:
            return response
        raise _refusal(response)


def _refusal(response: httpx.Response) -> RestError:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return RestError(response.status_code, "", "Supabase answered something that is not JSON")
    return RestError(response.status_code, str(body.get("code") or ""), str(body.get("message") or "no message"))


async def all_of(*questions: Any) -> list[Any]:
    """Several questions at once, in order."""
    return list(await asyncio.gather(*questions))
