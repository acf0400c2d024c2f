"""CWRU-style recordings made by bearing physics, for trying things out without any download."""
