"""The drill: a whole release on a world of its own, forward and back, judged by an independent look at the database."""
