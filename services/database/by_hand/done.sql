UPDATE ops.deploy_receipts SET state = 'done', statements = {{statements}} WHERE id = {{receipt}};
