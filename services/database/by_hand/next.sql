-- What is there before the next file, which no transaction guards, so that the one after it can tell what it did.
INSERT INTO ops.deploy_steps (receipt_id, seq, kind, digest, file, line, intended_at, detail)
SELECT {{receipt}}, {{step}}, 'apart', {{digest}}, {{file}}, {{line}}, pg_catalog.clock_timestamp(),
  pg_catalog.jsonb_build_object(
    'invalid', COALESCE((SELECT pg_catalog.jsonb_agg(indexrelid::bigint) FROM pg_catalog.pg_index
                         WHERE NOT indisvalid), '[]'),
    'of_table', COALESCE((SELECT pg_catalog.jsonb_agg(indexrelid::bigint) FROM pg_catalog.pg_index
                          WHERE indrelid = pg_catalog.to_regclass({{table}})), '[]'),
    'mark', {{mark}},
    'facts', (SELECT pg_catalog.jsonb_object_agg(name, value) FROM pg_temp.ops_catalog()));
