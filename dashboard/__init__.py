"""What every page shares: entry, navigation, sign-in, components; and the command line."""
