"""A second app, as small as one can be: a guest book behind one address, with one Postgres."""
