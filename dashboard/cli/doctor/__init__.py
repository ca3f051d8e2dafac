"""What `doctor` looks at, one module a matter: facts are gathered at the rim, and what they mean is decided apart."""
