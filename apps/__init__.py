"""What is released: one folder an app."""
