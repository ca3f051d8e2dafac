"""Our own store: tables, migrations, the audit chain."""
