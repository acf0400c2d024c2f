"""Models that come with the package, trained by the scripts of the project."""
