"""Recordings and windows: arrays in, arrays out."""
