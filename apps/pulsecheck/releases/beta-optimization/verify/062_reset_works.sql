-- Proves by trying that a reset of the daily counters has an effect, and that get_user_tier_info sees it; the rows are undone.
-- A row says what was counted after the reset. Where there is no user, nothing is tried.
SELECT fault AS problem FROM public.probe_beta_release() WHERE subject = 'reset';
