"""Opening the store: SQLite (WAL, every commit on disk) or Postgres by URL, migrated before it is handed out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from services.errors import Unavailable
from services.store.clock import StoreClock

BUSY_TIMEOUT_MS = 10_000
# A server that is gone without a word is noticed within about ten seconds, whoever waits for it.
SILENCE: Mapping[str, int] = {
    "keepalives": 1,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# One number for "our store is being migrated" among Postgres's advisory locks.
MIGRATION_LOCK = 7_203_114_501
# The newest migration; a test holds it against the files in migrations/versions.
HEAD = "0004"


class StoreGone(Unavailable):
    """Our store does not answer now; what was asked of it was not done, or it is not known whether it was."""


class NewerStore(Unavailable):
    """A newer version of us has migrated the store."""

    def __init__(self) -> None:
        super().__init__(
            "Our own store was written by a newer version of us.",
            "What that version has recorded is not understood here, so nothing is opened.",
            "Install the newer version again, or name another store in OPS_STORE_URL.",
            place="OPS_STORE_URL",
        )


class Store:
    """Our own records. `read()` and `write()` give a connection inside one transaction; both raise StoreGone where
    the store does not answer. `now()` is the time by the store's clock, which everybody who shares it goes by."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now = StoreClock(engine)
        self._writer = engine.execution_options(ops_write=True)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with _gone_in_words(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write; on SQLite it holds the write lock from its first statement on,
        so that reading first and writing then cannot fail half way."""
        with _gone_in_words(), self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections. One that another thread still holds is closed when that gives it back."""
        event.listen(self.engine, "checkin", _let_go)
        self.engine.dispose()


def _let_go(_connection: object, entry: ConnectionPoolEntry) -> None:
    entry.invalidate()


@contextmanager
def _gone_in_words() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise _gone(error) from error
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise _gone(error) from error


def _gone(error: SQLAlchemyError) -> StoreGone:
    kind = type(error.orig if isinstance(error, DBAPIError) and error.orig else error).__name__
    return StoreGone(
        f"Our own store does not answer ({kind}).",
        "What is shown may be old, and nothing can be asked for until it is back. No target was touched by this.",
        "Wait a moment and reload. If it stays away, look at the place that OPS_STORE_URL names.",
        place="OPS_STORE_URL",
    )


def open_store(url: str) -> Store:
    """Open and migrate the store at `url` (sqlite:///path or postgresql://...). Raises Unavailable with a sentence,
    NewerStore where a newer version of us was here."""
    place = make_url(url)
    if place.get_backend_name() == "sqlite":
        engine = create_engine(place, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False})
        _prepare_sqlite(engine)
    else:
        engine = create_engine(
            place.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            connect_args={"connect_timeout": 2, "application_name": "ops-store", **SILENCE},
        )
    try:
        if place.get_backend_name() == "sqlite" and place.database:
            Path(place.database).parent.mkdir(parents=True, exist_ok=True)
        _migrate(engine)
    except NewerStore:
        engine.dispose()
        raise
    except (SQLAlchemyError, OSError) as error:
        engine.dispose()
        raise Unavailable(
            f"Our own store at {place.render_as_string(hide_password=True)} cannot be opened ({_reason(error)}).",
            "Nothing was started; no target was touched.",
            "Check that the place exists, can be written to and is not full, or set OPS_STORE_URL.",
            place="OPS_STORE_URL",
        ) from error
    return Store(engine)


def _reason(error: Exception) -> str:
    cause = error.orig if isinstance(error, OperationalError) else error
    return str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver's own transaction handling begins too late and commits before DDL: we say BEGIN ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("ops_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _migrate(engine: Engine) -> None:
    # Alembic is imported only where there is something to do: every command opens the store.
    if _revision(engine) == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.execution_options(ops_write=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise NewerStore from error


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not engine.dialect.has_table(connection, "alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
