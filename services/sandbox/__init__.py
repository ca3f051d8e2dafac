"""The embedded world: Postgres, PulseCheck, Railway, OpenAI and Supabase with true behaviour, and their faults."""
