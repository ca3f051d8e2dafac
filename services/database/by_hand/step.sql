INSERT INTO ops.deploy_steps (receipt_id, seq, kind, digest, done_at)
VALUES ({{receipt}}, {{step}}, 'together', {{digest}}, pg_catalog.clock_timestamp());
