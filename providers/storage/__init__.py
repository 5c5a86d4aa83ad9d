"""The replicated volume and its filesystem."""
