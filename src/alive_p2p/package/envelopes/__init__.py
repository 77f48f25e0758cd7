"""What can be wrapped around a payload, each recognised by its bytes (format.md §5)."""
