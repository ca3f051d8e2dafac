"""What in a change endangers production: by effect, by rule, and by what the catalog lets strangers do."""
