"""What only one engine knows: a module per engine."""
