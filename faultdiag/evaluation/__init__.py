"""A trained model on a part of its data or on other data."""
