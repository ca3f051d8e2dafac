"""A change applied wholly or not at all: the guarded transaction and the receipt that proves it."""
