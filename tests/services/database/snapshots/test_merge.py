"""A three-way merge invents nothing, loses nothing that was written later, and decides the same on the server."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.database.connect import connect
from services.database.rollback.restoring import restore
from services.database.snapshots.merge import Action, Why, merge_count, merge_row
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change

COLUMNS = ("a", "b", "c")
VALUES = st.sampled_from([None, "1", "2", "3"])
ROWS = st.fixed_dictionaries(dict.fromkeys(COLUMNS, VALUES))
MAYBE = st.none() | ROWS


@given(MAYBE, MAYBE, MAYBE)
def test_a_result_is_made_of_before_and_now_only(before, after, now):
    row = merge_row(before, after, now).row
    for name in row or ():
        assert row[name] in [(side or {}).get(name) for side in (before, now)]


@given(MAYBE, MAYBE)
def test_nobody_wrote_since_all_is_as_before(before, after):
    assert merge_row(before, after, after).row == before


@given(MAYBE, MAYBE)
def test_what_the_change_left_alone_is_as_it_is_now(row, now):
    assert merge_row(row, row, now).row == now


@given(MAYBE, MAYBE, MAYBE)
def test_a_conflict_leaves_the_row_or_the_columns_that_both_altered_as_they_are(before, after, now):
    found = merge_row(before, after, now)
    assert (found.action is Action.CONFLICT) == (found.why is not None)
    assert (found.why is Why.BOTH) == bool(found.columns)
    if found.why not in (None, Why.BOTH):
        assert found.row == now
    for name in found.columns:
        assert found.row[name] == now[name]


@given(ROWS, ROWS, ROWS)
def test_beside_a_conflict_the_other_columns_go_back(before, after, now):
    found = merge_row(before, after, now)
    for name in COLUMNS:
        if after[name] == now[name]:
            assert found.row[name] == before[name]


@given(MAYBE, MAYBE, MAYBE)
def test_a_later_write_is_never_undone_without_being_told(before, after, now):
    found = merge_row(before, after, now)
    if found.action is Action.CONFLICT or now is None or now == after:
        return
    assert found.row is not None
    for name in COLUMNS:
        if after is not None and now[name] != after[name]:
            assert found.row[name] == now[name]


@given(MAYBE, MAYBE, MAYBE)
def test_a_second_time_there_is_nothing_to_do(before, after, now):
    first = merge_row(before, after, now)
    second = merge_row(before, after, first.row)
    assert second.row == first.row
    assert second.action in (Action.LEAVE, first.action if first.action is Action.CONFLICT else Action.LEAVE)


@given(ROWS, ROWS, MAYBE)
def test_a_column_that_was_dropped_comes_back_unless_it_was_written_since(before, after, now):
    less = {name: value for name, value in after.items() if name != "c"}
    found = merge_row(before, less, now, blank={"c": "3"})
    if now is not None and found.action is not Action.CONFLICT:
        assert found.row is not None
        assert found.row["c"] == before["c"]
    if found.action is Action.CONFLICT and "c" in found.columns:
        assert now is not None
        assert now["c"] not in (None, "3", before["c"])


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_equal_rows_are_counted(before, after, now):
    count, short = merge_count(before, after, now)
    assert merge_count(before, after, after) == (before, 0)
    assert count - short == now + before - after
    assert count == 0 or short == 0


DATABASE_ROWS = st.dictionaries(st.integers(1, 6), ROWS, max_size=6)


def _rows(app: Owner) -> dict[int, dict[str, str | None]]:
    return {key: dict(zip(COLUMNS, values, strict=True)) for key, *values in app.run("SELECT * FROM t")}


def _writes(old: dict, new: dict) -> str:
    gone = [f"DELETE FROM t WHERE id = {key}" for key in old if key not in new]
    changed = [
        f"UPDATE t SET {', '.join(f'{name} = {_literal(row[name])}' for name in COLUMNS)} WHERE id = {key}"
        for key, row in new.items()
        if key in old and old[key] != row
    ]
    added = [
        f"INSERT INTO t VALUES ({key}, {', '.join(_literal(row[name]) for name in COLUMNS)})"
        for key, row in new.items()
        if key not in old
    ]
    return "; ".join([*gone, *changed, *added])


def _literal(value: str | None) -> str:
    return "NULL" if value is None else f"'{value}'"


def test_the_server_decides_the_same(app: Owner):
    app.run("CREATE TABLE t (id int PRIMARY KEY, a text, b text, c text)")

    @settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(DATABASE_ROWS, DATABASE_ROWS, DATABASE_ROWS)
    def check(before, after, now):
        app.run("TRUNCATE t; " + _writes({}, before))
        done = change(app.url, _writes(before, after) or "SELECT 1")
        app.run(_writes(after, now) or "SELECT 1")
        wanted = {key: merge_row(before.get(key), after.get(key), now.get(key)) for key in {*before, *after, *now}}
        if done.snapshot_id is None:
            assert before == after
            return
        told = restore(app.url, done.snapshot_id, undo=True)
        assert _rows(app) == {key: dict(found.row) for key, found in wanted.items() if found.row is not None}
        conflicts = {str(key) for key, found in wanted.items() if found.action is Action.CONFLICT}
        assert {key for conflict in told.conflicts for key in conflict.keys} == conflicts
        assert told.rows_taken_out == sum(found.action is Action.TAKE_OUT for found in wanted.values())
        with connect(app.url) as conn:
            kept = conn.execute(
                "SELECT count(DISTINCT key) FROM ops.conflicts WHERE snapshot_id = %s", (done.snapshot_id,)
            ).fetchone()
        assert kept == (len(conflicts),)

    check()
