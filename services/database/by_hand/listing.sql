DO ${{tag}}$
DECLARE
  given text;
  version text := {{version}};
  listed integer;
BEGIN
  -- Only where the target keeps a list of its migrations, and in the columns that it has.
  SELECT pg_catalog.string_agg(a.attname::text, ', ' ORDER BY a.attname) INTO given
  FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = pg_catalog.to_regclass('supabase_migrations.schema_migrations') AND a.attnum > 0
    AND NOT a.attisdropped AND a.attname IN ('version', 'name', 'statements');
  IF given IS NULL THEN
    RETURN;
  END IF;
  LOOP
    -- The list may be one that somebody made by hand, without a key.
    EXECUTE pg_catalog.format(
      'INSERT INTO supabase_migrations.schema_migrations (%s) SELECT %s FROM (SELECT $1, $2, $3) AS one(version, name,'
      ' statements) WHERE NOT EXISTS (SELECT FROM supabase_migrations.schema_migrations m WHERE m.version = one.version)'
      ' ON CONFLICT DO NOTHING', given, given) USING version, {{name}}::text, {{statements}};
    GET DIAGNOSTICS listed = ROW_COUNT;
    EXIT WHEN listed = 1;
    IF NOT {{ours}} THEN
      RAISE EXCEPTION 'the target lists the version % already: %', version, {{unchanged}}
        USING HINT = 'Somebody else may have made this change meanwhile. Look at what the target lists.';
    END IF;
    -- A version of ours is only the time: it moves on where another change has it.
    version := pg_catalog.to_char(pg_catalog.to_timestamp(version, 'YYYYMMDDHH24MISS') + interval '1 second',
                                  'YYYYMMDDHH24MISS');
  END LOOP;
  UPDATE ops.deploy_receipts r SET listed = COALESCE(r.listed, '{}') || version WHERE id = {{receipt}};
END
${{tag}}$;
