"""The methods, one file or folder per family; each is found by its entry point, as a stranger's would be."""
