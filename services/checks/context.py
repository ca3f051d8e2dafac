"""What a check may use: the target, the app, the clock's word, and answers shared with the other checks of one run."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import SecretStr

from services.app_definition import AppDefinition
from services.checks.caps import Purse
from services.checks.connections import Turns
from services.checks.side_by_side import side_by_side
from services.clients.deadline import remaining
from services.clients.first_contact import Contacts, NotAskedAgain, first_contact
from services.clients.http import HttpClient, Kind, UpstreamError
from services.errors import Unavailable
from services.settings import Target

if TYPE_CHECKING:
    import psycopg

    from services.clients.budget import Budget
    from services.clients.openai import OpenAiClient
    from services.clients.railway import RailwayClient
    from services.clients.supabase import SupabaseClient
    from services.releases.bundle import Release

T = TypeVar("T")


class NotTried(Unavailable):
    """A check that did not look, by its own decision: its "unknown" is no sign that anything is wrong."""


WAIT_S = 30.0
MINIMUM_S = 0.5
DATABASE_FIRST_S = 3.0
MARK = "ops-probe-"


class SingleFlight:
    """Answers fetched once: the first to ask does the work, everybody else waits for its outcome."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, Future[Any]] = {}

    def once(self, key: str, make: Callable[[], T]) -> T:
        """What `make` returned or raised the first time somebody asked for `key`; waits no longer than the deadline."""
        with self._lock:
            flight = self._flights.get(key)
            mine = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        if mine:
            try:
                flight.set_result(make())
            except Exception as error:
                flight.set_exception(error)
        try:
            return cast(T, flight.result(timeout=remaining(WAIT_S)))
        except TimeoutError:
            raise Unavailable(f"The shared answer '{key}' did not come in time.") from None

    def made(self, key: str) -> Any | None:
        """What has been fetched for `key`; None where nobody asked, or nothing came."""
        with self._lock:
            flight = self._flights.get(key)
        return flight.result() if flight is not None and flight.done() and flight.exception() is None else None


@dataclass(frozen=True)
class CheckContext:
    """One run's surroundings.

    marker: the word that marks everything this run writes to the target
    release: the release under way, where there is one
    store_facts: what our own store knows and a check may need, for example {"rehearsal": {...}}
    purse: what test data may still cost today; without one, nothing is written where a cap holds
    contacts: whom this run has heard; every client's calls go through it, and what hung is not asked again
    """

    target: Target
    app: AppDefinition
    now: datetime
    marker: str
    release: Release | None = None
    store_facts: Mapping[str, Any] = field(default_factory=dict)
    shared: SingleFlight = field(default_factory=SingleFlight)
    contacts: Contacts = field(default_factory=Contacts)
    turns: Turns = field(default_factory=Turns)
    purse: Purse | None = None

    @classmethod
    def create(
        cls,
        target: Target,
        app: AppDefinition,
        now: datetime,
        *,
        release: Release | None = None,
        store_facts: Mapping[str, Any] | None = None,
        purse: Purse | None = None,
    ) -> CheckContext:
        """The surroundings of a new run, with a marker of its own."""
        return cls(target, app, now, MARK + secrets.token_hex(6), release, store_facts or {}, purse=purse)

    def once(self, key: str, make: Callable[[], T]) -> T:
        return self.shared.once(key, make)

    def secrets(self) -> tuple[str, ...]:
        """The values of this target's secrets, those of its accounts among them, for redaction only."""
        own = [value.get_secret_value() for _, value in self.target if isinstance(value, SecretStr)]
        passwords = [one.password for one in self.target.probe_accounts]
        passwords += [one.password for one in self.target.quick_sign_in]
        return (*own, *(password.get_secret_value() for password in passwords))

    def side_by_side(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """What each call returned, in order, all made at the same time; for several questions of one check.

        All have ended when it returns. Raises the error of the first that failed, and Unavailable where the check's
        time is used up.
        """
        return side_by_side(calls)

    @contextmanager
    def database(
        self, *, as_owner: bool = False, read_only: bool = True, deadline_s: float = 8.0
    ) -> Iterator[psycopg.Connection[Any]]:
        """A connection to the target's database, closed afterwards. Raises Unavailable where there is none, and for
        what the database refuses inside the block.

        as_owner: with the rights of the release (calling its functions, removing test rows), not only for reading
        deadline_s: seconds to get in, and for each statement. A database that hung is not tried again in this run,
        and however it hangs later, a connection is cut when the check's time is up (and when that for removing what
        was written is up too).
        """
        import psycopg

        from services.checks.connections import cut_after

        seconds = max(MINIMUM_S, remaining(deadline_s)) if read_only else deadline_s
        with self.turns.turn(seconds):
            connection = self.connection(as_owner=as_owner, read_only=read_only, deadline_s=seconds)
            try:
                with (
                    cut_after(connection, remaining(WAIT_S) + (MINIMUM_S if read_only else deadline_s)),
                    self._kept_read_only(connection, as_owner, seconds) if read_only else nullcontext(),
                ):
                    yield connection
            except psycopg.Error as error:
                code = error.sqlstate
                lost = "the connection was lost" if code is None else f"it refused a statement ({code})"
                raise Unavailable(f"The database could not be asked: {lost}.", "What it holds is not known.") from None
            finally:
                connection.close()

    def _kept_read_only(
        self, connection: psycopg.Connection[Any], as_owner: bool, seconds: float
    ) -> AbstractContextManager[None]:
        """Behind a transaction pooler a session cannot be made read-only; one transaction around everything can."""
        from services.database.connect import is_transaction_pooler, read_only_transaction

        if is_transaction_pooler(self._address(as_owner)):
            return read_only_transaction(connection, seconds)
        return nullcontext()

    def _address(self, as_owner: bool) -> str:
        url = self.target.database_url
        if as_owner:
            url = self.target.deploy_url or url
        if url is None:
            raise Unavailable(f"{self.target.name} has no database address.", place=f"targets.{self.target.name}")
        return url.get_secret_value()

    def connection(self, *, as_owner: bool, read_only: bool, deadline_s: float) -> psycopg.Connection[Any]:
        """As `database`, for one that outlives a block: whoever asks for it closes it."""
        from services.database.connect import connect, place_of

        address = self._address(as_owner)
        try:
            with first_contact("database", place_of(address), Unavailable) as first_s:
                return connect(
                    address,
                    deadline_s=deadline_s if first_s is None else min(deadline_s, DATABASE_FIRST_S),
                    statement_timeout_s=deadline_s,
                    read_only=read_only,
                    application_name="ops check",
                )
        except NotAskedAgain:
            said = f"The database at {place_of(address)} gave no answer a moment ago; not asked again."
            raise UpstreamError("database", Kind.TIMEOUT, said) from None

    def budgets(self) -> dict[str, Budget]:
        """What each upstream that was asked in this run said of the calls it still allows."""
        asked = {name: self.shared.made(f"client:{name.lower()}") for name in ("Railway", "Supabase")}
        return {name: client.budget for name, client in asked.items() if client is not None and client.budget}

    @cached_property
    def api(self) -> HttpClient:
        """The app at its own address. Raises Unavailable where the target has none."""
        url = self.target.app_url
        if url is None:
            raise Unavailable(f"{self.target.name} has no address of the app.", do="Set app_url.")
        return self.once("client:app-address", lambda: HttpClient(self.app.title, url))

    @cached_property
    def railway(self) -> RailwayClient:
        from services.clients.railway import RailwayClient

        return self.once("client:railway", lambda: RailwayClient.of(self.target))

    @cached_property
    def supabase(self) -> SupabaseClient:
        from services.clients.supabase import SupabaseClient

        return self.once("client:supabase", lambda: SupabaseClient.of(self.target))

    @cached_property
    def openai(self) -> OpenAiClient:
        from services.clients.openai import OpenAiClient

        return self.once("client:openai", lambda: OpenAiClient.of(self.target))
