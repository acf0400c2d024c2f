"""Splits of recordings into parts, and what the parts share."""
