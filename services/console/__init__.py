"""Questions typed by hand: one SELECT, through a role that only reads, with what people wrote masked."""
