"""``python -m faultdiag``: the same as the ``faultdiag`` command."""

from faultdiag.cli.app import main

main()
