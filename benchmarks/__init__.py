"""Measurements. Each script prints one table and writes one JSON; `quality.py` compares methods of mapping."""
