"""Runs requests in the engine's own process: start, listen, cancel, clean up. Standard library only, no QGIS."""
