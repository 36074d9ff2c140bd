"""The boards' own files: what can be said of them without an image."""
