"""Typed access to the six tables."""
