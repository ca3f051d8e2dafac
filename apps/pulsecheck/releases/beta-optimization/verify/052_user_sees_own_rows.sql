-- Proves by trying, as a signed-in user, that the policies show the user's own rows and nobody else's; the rows are undone.
-- A row says how many rows such a user saw.
SELECT fault AS problem FROM public.probe_beta_release() WHERE subject = 'authenticated';
