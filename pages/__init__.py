"""One thin file a page: reads, lays out, calls one service function per button."""
