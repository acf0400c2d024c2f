"""`faultdiag predict`: recordings in, one diagnosis each out."""
