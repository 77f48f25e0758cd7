"""Coverage-guided fuzzing: what takes bytes that somebody else wrote (docs/development.md)."""
