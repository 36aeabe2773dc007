"""Run a Forward-Forward network on Loihi 2 and record it: python run_on_board.py [--probe] (in a deployment's folder).

Needs lava-nc, Intel's extension lava-loihi, numpy, scipy and h5py; nothing of ff2loihi. What board.json describes
decides whether the network classifies (classify_on_board.py) or learns (learn_on_board.py).
"""

if __name__ == "__main__":
    from board_config import main

    main(__doc__)
