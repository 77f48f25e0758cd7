"""The command line: a door. It parses, asks and shows; every rule lives elsewhere."""
