"""Jobs: long actions, queued, their events stored one by one, run by the worker."""
