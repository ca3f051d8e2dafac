"""What pages are drawn from: badges, evidence, progress, problems, tables, confirmation."""
