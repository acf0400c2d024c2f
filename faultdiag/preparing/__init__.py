"""From recordings to a prepared folder."""
