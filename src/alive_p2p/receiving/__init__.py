"""From a package to a walnut, in one transaction (receive.md)."""
