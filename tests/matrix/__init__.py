"""Every fault against every check: a table of truth, and a world that is broken and mended."""
