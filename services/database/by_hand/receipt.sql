INSERT INTO ops.deploy_receipts (id, job_id, release_id, plan_hash, actor, statements, fingerprint_before, facts_before,
                                 fingerprint_after, facts_after, inverse, state)
SELECT {{receipt}}, {{job}}, {{release}}, {{plan}}, {{actor}}, {{statements}}, {{before}}, {{facts_before}},
        {{after}}, {{facts_after}}, {{inverse}}, 'begun'
WHERE pg_catalog.to_regclass('pg_temp.ops_unchecked') IS NOT NULL;
UPDATE ops.deploy_receipts SET state = 'superseded'
WHERE release_id = {{release}} AND state = 'begun' AND id <> {{receipt}};
