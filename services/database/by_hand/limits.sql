SET LOCAL lock_timeout = '100ms';
SET LOCAL statement_timeout = '{{patience}}s';
SET LOCAL idle_in_transaction_session_timeout = '60s';
