DO ${{tag}}$
BEGIN
  -- Only where the target keeps a list of its migrations.
  IF pg_catalog.to_regclass('supabase_migrations.schema_migrations') IS NOT NULL THEN
    INSERT INTO supabase_migrations.schema_migrations (version, name, statements)
    VALUES ({{version}}, {{name}}, {{statements}});
    UPDATE ops.deploy_receipts SET listed = COALESCE(listed, '{}') || {{version}}::text WHERE id = {{receipt}};
  END IF;
END
${{tag}}$;
