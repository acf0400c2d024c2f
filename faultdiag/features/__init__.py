"""Documented features of windows."""
