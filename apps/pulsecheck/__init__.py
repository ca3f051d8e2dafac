"""PulseCheck: the only place that knows its routes, tables, texts and release."""
