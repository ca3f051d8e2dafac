"""The way back: what goes, what is kept of it, and how it is put back."""
