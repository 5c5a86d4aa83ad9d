"""SIOS LifeKeeper for Linux: QSP, DataKeeper, virtual address and generic applications."""
