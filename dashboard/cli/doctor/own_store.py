"""Our own store: whether it opens, takes what we write, and is of our time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from services.errors import OpsError, Unavailable
from services.store.database import HEAD, NewerStore, Store


def store_problems(open_it: Callable[[], Store]) -> Iterator[OpsError]:
    """At most one. The store is opened as every command opens it, and migrated by that where it is older."""
    try:
        store = open_it()
        # A row is written to what it holds already: that is the proof, and changes nothing.
        with store.write() as tx:
            tx.execute(text("UPDATE alembic_version SET version_num = version_num"))
            revision = tx.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except OpsError as error:
        yield error
    except SQLAlchemyError as error:
        yield Unavailable(
            f"Our own store opens and takes nothing that we write ({type(error).__name__}).",
            "Nothing can be recorded, so nothing is done.",
            "Look at the rights of its file or role, and at the disk.",
            place="OPS_STORE_URL",
        )
    else:
        if revision != HEAD:
            yield NewerStore()
