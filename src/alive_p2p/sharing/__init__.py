"""From a walnut to a package (share.md)."""
