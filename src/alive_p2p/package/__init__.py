"""What a `.walnut` file is: its paths, its manifest, its archive, and how it is read and written (format.md)."""
