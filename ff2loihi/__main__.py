"""`python -m ff2loihi`."""

import sys

from ff2loihi.compilers.children import module_folders

sys.path[:] = module_folders()  # -m looks for modules in the current folder first; our console script does not

import signal  # noqa: E402

if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is begun yet, so there is nothing to say: main hears it

from ff2loihi.cli.entry import main  # noqa: E402

main()
