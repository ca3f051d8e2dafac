"""The blast radius by walking the catalog, held against executed drops on random schemas."""
