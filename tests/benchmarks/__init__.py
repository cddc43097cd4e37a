"""Measured side by side with the original TypeScript adapter, in one browser."""
