"""The measured comparisons: this program beside the standard tools, in one run (docs/performance.md)."""
