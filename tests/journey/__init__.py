"""What a person does, from the first sign-in to the rollback, in a real browser against a whole house."""
