"""The engine's own Python: where it is, how it is made, whether it works."""
