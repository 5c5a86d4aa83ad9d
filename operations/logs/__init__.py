"""Following the access log across switchovers and rotations."""
