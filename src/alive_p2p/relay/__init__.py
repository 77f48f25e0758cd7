"""Moving packages between people (relay.md)."""
