"""Measurements on the lab; each is a program of its own: ``python -m benchmarks.<name>``."""
