"""From settings to the text of a configuration file. Pure; the declaration has already refused what could break out."""
