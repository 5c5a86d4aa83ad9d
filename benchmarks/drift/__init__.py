"""How long a scan for drift takes, and that it names what was changed and no more: up to 25 pairs of containers."""
