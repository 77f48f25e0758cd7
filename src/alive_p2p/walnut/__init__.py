"""What a walnut is: a folder about one thing, its kernel, its bundles, and the world around it."""
