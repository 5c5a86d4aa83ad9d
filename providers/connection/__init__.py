"""SSH to the nodes: pool, batches, atomic file replacement, journal, lock, errors."""
