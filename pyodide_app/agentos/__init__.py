"""The agent runtime: personas, providers, and turns that survive a crash."""
