NOTIFY pgrst, 'reload schema';
-- A script may end as another role or with another search_path; what follows is done as a new session would.
RESET SESSION AUTHORIZATION;
RESET ROLE;
RESET search_path;
{{limits}}
