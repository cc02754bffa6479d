"""``python -m mvps``."""

from mvps.cli import main

main()
