"""`make docs`: the pages of the settings and the schema of stack files, both out of the models of the declaration."""
