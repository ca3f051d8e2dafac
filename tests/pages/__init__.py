"""Every page in-process: what it shows when all is well, empty, failing and forbidden."""
