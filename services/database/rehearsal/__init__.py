"""A change executed on a copy first: the shadow, its rows, what each statement did there."""
