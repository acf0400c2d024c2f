"""Comparing models under several protocols: `faultdiag protocol`."""
