"""The SQL of the reading role on the screen, with a password that is made here, never shown, and put into the address
that is filled in afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote

import streamlit as st

from dashboard.context import PageContext
from dashboard.runs import app_of
from services.access.permissions import Permission
from services.connecting.reader_role import ROLE, new_password, reader_role_sql, take_back_sql
from services.errors import NotUnderstood

PLACEHOLDERS = ("[YOUR-PASSWORD]", "YOUR-PASSWORD", "[PASSWORD]", "PASSWORD", "")
"""What stands where the password belongs in an address as it is copied."""

# Not urlsplit: it takes the brackets of [YOUR-PASSWORD] for an IPv6 address.
_ADDRESS = re.compile(r"(?P<scheme>postgres(?:ql)?://)(?P<user>[^:@/]*)(?::(?P<password>.*))?@(?P<place>[^@]+)")


@dataclass(frozen=True, slots=True)
class Draft:
    """SQL that was made and the password that goes with it; for as long as the page is open."""

    sql: str
    password: str = field(repr=False)


def sql_part(context: PageContext) -> None:
    """The SQL to run, once it was asked for. Made again it has another password, and running it changes that."""
    draft = _draft(context.target.name)
    if draft is None:
        may = context.actor.may(Permission.CONNECT)
        st.button(
            "Make the SQL",
            key="make-reader-sql",
            icon=":material/terminal:",
            disabled=not may,
            help=None if may else f"You are {context.actor.role.value}: your role may not {Permission.CONNECT.value}.",
            on_click=_make,
            args=(context,),
        )
        return
    st.code(draft.sql, language=None, height=240)
    st.caption(
        f"Its password is not in it and is never shown: the SQL holds only what it is checked by. Fill in the address "
        f"below as it is copied, with [YOUR-PASSWORD] in it: {ROLE} and the password are put in for you. Do it before "
        "this page is reloaded; else make and run the SQL again."
    )


def removal_part() -> None:
    """The SQL that takes the role away again where it was made; for whoever has taken the level back."""
    with st.expander("SQL that removes the role", icon=":material/terminal:", key="remove-reader-sql"):
        st.caption("The address is gone from here; the role stays in the database until this is run there.")
        st.code(take_back_sql(), language=None, height=240)


def filled_in(target: str, address: str) -> str:
    """The address with the reading role and its password, where it has none; an address with a password as it is.

    Raises NotUnderstood where a password is wanted and none was made here.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or (found["password"] or "") not in PLACEHOLDERS:
        return address
    draft = _draft(target)
    if draft is None:
        raise NotUnderstood(
            "The address of the database holds no password.",
            "Nothing was kept.",
            f"Make the SQL of {ROLE} on this page first, or fill in an address with a password of your own.",
            place="database_url",
        )
    _, dot, project = found["user"].partition(".")
    return f"{found['scheme']}{ROLE}{dot}{project}:{quote(draft.password, safe='')}@{found['place']}"


def forget(target: str) -> None:
    """The password was handed over: nothing of it stays here."""
    st.session_state.pop(_name(target), None)


def _make(context: PageContext) -> None:
    password = new_password()
    sql = reader_role_sql(app_of(context), password=password)
    st.session_state[_name(context.target.name)] = Draft(sql, password)


def _draft(target: str) -> Draft | None:
    found = st.session_state.get(_name(target))
    return found if isinstance(found, Draft) else None


def _name(target: str) -> str:
    return f"draft-reader-{target}"
