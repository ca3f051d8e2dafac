"""Writers at work while a change is deployed: how long each of them waits, beside the same SQL through psql."""
