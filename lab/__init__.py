"""Throwaway hosts to run the whole program on: two virtual machines, containers, a client, an origin.

Product code never imports this package. See ``lab.tree`` for how everything is held together.
"""
