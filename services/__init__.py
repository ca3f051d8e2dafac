"""Everything the product knows; usable from a notebook; knows no screen and no app."""
