"""Changes that happened or did not: staging, journal, registration, recovery (receive.md §1, §7)."""
