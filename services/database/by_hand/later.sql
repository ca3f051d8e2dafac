-- Only after the file before this one, and only once.
DO ${{tag}}$
DECLARE
  found text;
  waits integer;
  noted jsonb;
  marked text;
  mark text;
  others text;
BEGIN
  IF pg_catalog.to_regclass('ops.deploy_receipts') IS NOT NULL AND pg_catalog.to_regclass('ops.deploy_steps') IS NOT NULL
  THEN
    SELECT state INTO found FROM ops.deploy_receipts WHERE id = {{receipt}};
  END IF;
  IF found IS NULL THEN
    RAISE EXCEPTION 'this is file % of %, and file 1 comes first: nothing was changed', {{number}}, {{of}};
  ELSIF found = 'done' THEN
    RAISE EXCEPTION 'all files of this deploy have been run already: nothing was changed by this one';
  ELSIF found <> 'begun' THEN
    RAISE EXCEPTION 'another deploy of the same release came after these files were begun: nothing was changed by this one'
      USING HINT = 'Rehearse on the database as it is now, and take the new script.';
  END IF;
  SELECT seq, detail INTO waits, noted FROM ops.deploy_steps
  WHERE receipt_id = {{receipt}} AND done_at IS NULL ORDER BY seq LIMIT 1;
  IF waits IS NULL THEN
    RAISE EXCEPTION 'this deploy was gone on with from the release cockpit: nothing was changed by this file'
      USING HINT = 'Deploy it there to its end.';
  ELSIF waits <> {{step}} THEN
    RAISE EXCEPTION 'this is file % of %, and file % comes next: nothing was changed by this one', {{number}}, {{of}},
      ({{files}}::integer[])[waits + 1];
  END IF;
  marked := noted ->> 'mark';
  mark := {{mark}};
  IF NOT COALESCE({{seen}}, false) THEN
    RAISE EXCEPTION 'the work of file % is not to be seen here (%): nothing was changed by this one', {{before}}, {{what}}
      USING HINT = 'Run that file by itself first. An index that it left invalid has to be dropped before.';
  END IF;
  IF noted ? 'facts' THEN
    SELECT pg_catalog.string_agg(name, ', ') INTO others FROM (
      SELECT name FROM (
        SELECT COALESCE(now.name, old.key) AS name, old.value AS was, now.value AS "is"
        FROM pg_temp.ops_catalog() now FULL JOIN pg_catalog.jsonb_each_text(noted -> 'facts') old ON old.key = now.name
      ) AS facts
      WHERE was IS DISTINCT FROM "is" AND NOT ({{may_change}}) ORDER BY name LIMIT 5
    ) AS changed;
  END IF;
  IF others IS NOT NULL THEN
    RAISE EXCEPTION 'the catalog was changed since the file before (%): nothing was changed by this one', others
      USING HINT = 'Rehearse on the database as it is now, and take the new script; the files that were run stay in.';
  END IF;
  UPDATE ops.deploy_steps SET done_at = pg_catalog.clock_timestamp(), detail = detail - 'facts'
  WHERE receipt_id = {{receipt}} AND seq = {{step}};
END
${{tag}}$;
