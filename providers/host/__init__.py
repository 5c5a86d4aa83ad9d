"""Packages, names, time, files and units of a single host."""
