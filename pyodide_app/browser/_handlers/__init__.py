"""What the methods of the table do: one module for each kind."""
