"""`python -m ff2loihi`."""

from ff2loihi.entry import main

main()
