"""Download of the recordings of public datasets, each checked by its digest."""
