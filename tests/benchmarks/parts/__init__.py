"""What is measured, one part to a module: each adds its numbers to the results."""
