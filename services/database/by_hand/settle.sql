-- A script may end as another role or with another search_path; what follows is done as at the beginning.
RESET SESSION AUTHORIZATION;
RESET ROLE;
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('ops.search_path'), true);
