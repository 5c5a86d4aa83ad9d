"""Squid: its configuration on all nodes as one thing."""
