"""What is made from the program for those who install it, and how a release is checked; not part of the package."""
