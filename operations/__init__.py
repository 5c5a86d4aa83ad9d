"""What an operator does besides `up`: the command `squid-ha` and what stands behind it."""
