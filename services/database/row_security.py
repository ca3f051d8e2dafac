"""Knows, as SQL, whether row-level security keeps rows of a table from the role that asks."""

from __future__ import annotations


def hides_rows(relation: str) -> str:
    """An SQL expression: true where the asking role may be shown fewer rows of the relation than there are.

    relation: an SQL expression that gives its oid. Where a policy lets the role see every row, and none restricts it,
    row-level security applies and hides nothing.
    """
    mine = (
        "(p.polroles = '{0}' OR EXISTS (SELECT FROM pg_catalog.unnest(p.polroles) AS named"
        " WHERE named <> 0 AND pg_catalog.pg_has_role(named, 'USAGE')))"
    )
    of_it = f"p.polrelid = {relation} AND p.polcmd IN ('r', '*') AND {mine}"
    shows_all = "p.polpermissive AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true'"
    return (
        f"(pg_catalog.row_security_active({relation}) AND ("
        f"NOT EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE {of_it} AND {shows_all})"
        f" OR EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE {of_it} AND NOT p.polpermissive)))"
    )
