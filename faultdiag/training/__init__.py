"""Training: the loop, its state, and the run folder."""
