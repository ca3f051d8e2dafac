-- Proves by trying that a logged call raises the quota of the day once, a deleted one lowers it, and a call without a price does no harm.
-- A row says what was logged and what the quota showed; the rows are undone.
SELECT fault AS problem FROM public.probe_beta_release() WHERE subject = 'trigger';
