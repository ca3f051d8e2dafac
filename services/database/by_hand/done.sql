UPDATE ops.deploy_receipts SET state = 'done', statements = {{statements}}, inverse = {{inverse}}
WHERE id = {{receipt}};
