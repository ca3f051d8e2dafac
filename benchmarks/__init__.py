"""Benchmarks: each measures one promise beside the plain thing that it must not be much slower than."""
