"""What QGIS and the engine say to each other: one request file in, a stream of events out.

A request is a frozen dataclass in a file of its own (``segment.py``: ``SegmentRequest``); ``codec`` writes and
reads it strictly. Events are JSON lines (``events``). Failures carry a code of a closed list (``errors``).
Standard library only, Python 3.9 syntax: this package is imported by both Pythons.
"""
