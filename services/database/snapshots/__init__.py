"""What would be lost, kept: copies proved in the same transaction, tables parked, and how both come back."""
