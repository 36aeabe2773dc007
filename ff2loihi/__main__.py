"""`python -m ff2loihi`."""

from ff2loihi.cli import main

main()
