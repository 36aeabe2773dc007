"""`python -m ff2loihi`."""

import sys

from ff2loihi.compilers.children import module_folders

sys.path[:] = module_folders()  # -m looks for modules in the current folder first; our console script does not

from ff2loihi.cli.entry import main  # noqa: E402

main()
