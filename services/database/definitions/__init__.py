"""A database's objects as the SQL that makes each of them again, in an order in which it can be run."""
