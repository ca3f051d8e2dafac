"""What a release declares, read from its scripts: in DO blocks too, and not what is a comment or a tool."""

from __future__ import annotations

from services.checks.standard.declared import declared_in
from services.database.script import Script

SQL = """
-- create function commented() returns int
drop function if exists changed(int);
DO $do$ BEGIN
  CREATE OR REPLACE FUNCTION public.inside(p int) RETURNS int LANGUAGE sql AS $$ select 1 $$;
  create or replace trigger "keep" after insert or update of a, b on public.logs
    for each row execute function public.inside();
END $do$;
create function changed(bigint) returns int language sql as 'select 1';
create function tool() returns void language sql as '';
drop function tool();
CREATE TABLE IF NOT EXISTS public."logs" (id int);
"""


def test_names_are_found_wherever_they_stand() -> None:
    found = declared_in([Script("a.sql", SQL)])
    assert found.functions == ("inside", "changed")
    assert found.triggers == (("keep", "logs"),)
    assert found.tables == ("logs",)
