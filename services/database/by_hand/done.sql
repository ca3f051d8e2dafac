UPDATE ops.deploy_receipts SET state = 'done', statements = {{statements}} WHERE id = {{receipt}}
  AND pg_catalog.to_regclass('pg_temp.ops_unchecked') IS NOT NULL;
