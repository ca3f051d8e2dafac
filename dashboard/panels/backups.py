"""The backups of a target: the newest one with its proof, all of them, and the button that takes another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.components import times
from dashboard.components.badges import inline_badge
from dashboard.components.empty import not_yet
from dashboard.components.plain import plain, strong
from dashboard.components.progress import show_job
from dashboard.components.tables import table
from dashboard.context import PageContext
from dashboard.panels.release_steps import set_going_button
from dashboard.results import results_of
from dashboard.runs import view_of
from services.jobs.backups import KeptBackup, folder_of, kept_backups

_STATE: Mapping[str, str] = {"pass": "passed", "fail": "failed", "unknown": "unknown"}


def backups_part(context: PageContext) -> None:
    """What there is to go back to, and how to get more of it."""
    st.subheader("Backups", anchor=False)
    found = kept_backups(context.store, context.target.name)
    newest = next((one for one in found if one.counts), None)
    if newest is None:
        not_yet(
            "No backup of ours has been restored and compared yet.",
            "Whether the platform makes its own is a fact of its own (backup-fresh); on a free plan none is visible.",
        )
    else:
        _newest(context, newest)
    _take(context)
    if found and st.toggle("All backups", key="all-backups"):
        _all(found)


def _newest(context: PageContext, one: KeptBackup) -> None:
    age = times.age(one.started, context.now)
    st.markdown(f"{inline_badge('passed')} {strong(f'The newest is of {age}.')} {plain(one.facts['proof']['summary'])}")
    where = f"{one.file} on {one.host}" + ("" if one.there else " (not looked at from here)")
    st.caption(
        plain(
            f"{one.bytes / 1e6:,.1f} MB, encrypted; {where}; kept until {times.exact(one.keep_until)}, "
            "and longer while no newer one is proved.",
            limit=600,
        )
    )
    st.caption(plain(f"Contains {one.facts['contains']} {' '.join(one.facts['not_contained'])}", limit=1200))


def _take(context: PageContext) -> None:
    target = context.target
    if target.backup_recipient is None:
        st.info(
            plain(
                f"{target.name} names nobody to whom its backups are encrypted, so none can be taken. Make a key pair "
                "with `python -m dashboard backup --new-key`, keep the secret part away from this machine, and set "
                f"backup_recipient of {target.name} to the public part (age1...).",
                limit=600,
            ),
            icon=":material/key:",
        )
        return
    results = results_of(context, "backup", run=False)
    set_going_button(
        context,
        "backup",
        "Take a backup",
        view=view_of(context),
        results=results,
        payload={},
        icon="backup",
    )
    st.caption(
        plain(
            f"It only reads, is restored at once on a scratch server, goes to {folder_of(context.settings, target)}, "
            f"and is kept for {target.backup_keep_days} days. A change of the database goes before it.",
            limit=600,
        )
    )
    if results.newest is not None and (results.running or results.newest.state.value != "passed"):
        show_job(results.newest.id, key="backup", compact=True, live=False)


def _all(found: Sequence[KeptBackup]) -> None:
    table(
        [_row(one) for one in found],
        name="backups",
        empty="No backup has been taken.",
        columns={
            "verdict": "Restore",
            "taken": "As of",
            "rows": "Rows",
            "bytes": "Bytes",
            "file": "File",
            "state": "State",
            "keep_until": "Kept until",
            "sha256": "SHA-256",
        },
        config={"Bytes": st.column_config.NumberColumn(format="bytes")},
    )


def _row(one: KeptBackup) -> dict[str, Any]:
    if one.removed is not None:
        state = f"deleted {times.exact(one.removed)}"
    else:
        state = {True: "in place", False: "gone", None: f"on {one.host}"}[one.there]
    return {
        "verdict": _STATE[one.verdict.value],
        "taken": times.exact(one.started),
        "rows": one.rows,
        "bytes": one.bytes,
        "file": one.file.name,
        "state": state,
        "keep_until": times.exact(one.keep_until),
        "sha256": one.digest,
    }
