"""Measured side by side with its peers, in one browser; `bench.py` begins."""
