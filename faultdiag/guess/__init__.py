"""`faultdiag init --from`: a config guessed from a folder of recordings, with its reasons."""

from faultdiag.guess.guessing import Guess, guess_config, init_from, write_guess

__all__ = ["Guess", "guess_config", "init_from", "write_guess"]
