"""ROOT-shaped names, for scripts that were written for ROOT."""
