"""What a crash of the active node costs of the log, measured by power cuts of the lab's pair under load."""
