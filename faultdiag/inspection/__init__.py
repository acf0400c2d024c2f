"""What a recording shows before any model has seen it."""
