"""Each dangerous right is seen, and only that; only what a change brings is new."""

from __future__ import annotations

import pytest

from services.database.inspection.advisors import new_findings, security_findings
from tests.services.database.app_database import Owner

SAFE = """
CREATE TABLE safe (id int); ALTER TABLE safe ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON safe FOR SELECT USING (true); GRANT SELECT ON safe TO authenticated;
CREATE VIEW safe_view WITH (security_invoker = true) AS SELECT * FROM safe; GRANT SELECT ON safe_view TO authenticated;
CREATE FUNCTION safe_definer() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1';
"""


def found(app: Owner, sql: str) -> set[tuple[str, str]]:
    before = security_findings(app.conn)
    app.run(sql)
    return {(one.rule, one.object) for one in new_findings(before, security_findings(app.conn))}


def test_what_is_safe_brings_no_finding(app: Owner):
    assert found(app, SAFE) == set()


@pytest.mark.parametrize(
    ("sql", "rules"),
    [
        ("CREATE TABLE t (id int); GRANT SELECT, DELETE ON t TO authenticated", {"rls-off", "rls-missing"}),
        ("CREATE TABLE t (id int)", {"rls-missing"}),
        ("CREATE TABLE t (id int); GRANT INSERT ON t TO PUBLIC", {"rls-off", "rls-missing", "anon-granted"}),
        ("ALTER TABLE safe DISABLE ROW LEVEL SECURITY", {"rls-off", "rls-missing", "policies-without-rls"}),
        ("GRANT SELECT ON safe TO anon", {"anon-granted"}),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'", {"definer-search-path"}),
        ("CREATE VIEW v AS SELECT * FROM safe; GRANT SELECT ON v TO authenticated", {"view-of-owner"}),
        ("CREATE POLICY w ON safe FOR INSERT WITH CHECK (true)", {"policy-lets-all-write"}),
        ("CREATE POLICY w ON safe FOR UPDATE USING (true)", {"policy-lets-all-write"}),
        ("CREATE POLICY w ON safe FOR INSERT WITH CHECK (id > 0)", set()),
        ("CREATE POLICY w ON safe TO service_role USING (true)", set()),
    ],
)
def test_each_fault_is_seen(app: Owner, sql: str, rules: set[str]):
    app.run(SAFE)
    assert {rule for rule, _ in found(app, sql)} == rules


def test_a_finding_says_what_strangers_can_do(app: Owner):
    app.run("CREATE TABLE t (id int); GRANT SELECT, DELETE ON t TO authenticated")
    message = next(
        one.message for one in security_findings(app.conn) if (one.rule, one.object) == ("rls-off", "public.t")
    )
    assert message == "anyone with the public key can delete, select all rows: row-level security is off"
