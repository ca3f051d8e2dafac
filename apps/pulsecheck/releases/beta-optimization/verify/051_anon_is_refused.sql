-- Proves by trying, as the role anon, that none of the release's tables and views can be read with the public key.
-- A row says what anon could read. Where there is no anon, or we may not act as it, nothing is tried.
SELECT fault AS problem FROM public.probe_beta_release() WHERE subject = 'anon';
