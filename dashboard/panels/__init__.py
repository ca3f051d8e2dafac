"""The larger parts of single pages; each draws one view model."""
