"""Real kills and freezes of a whole house: the screen tells the truth afterwards, and nothing is half applied."""
