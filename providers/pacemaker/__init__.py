"""Corosync, Pacemaker and SBD."""
