"""What carries a relay: a git repository, a folder, a bucket; and memory, for tests."""
