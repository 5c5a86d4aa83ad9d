"""The checks of the doctor: a module each, found by this folder."""
