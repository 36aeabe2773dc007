"""What passes between the stages: Network -> IntNetwork or LearningNetwork -> Program.

All are frozen, and their arrays read-only. What others call is named here.
"""

from ff2loihi.compilers.ir.events import Binning
from ff2loihi.compilers.ir.inference import IntHead, IntLabel, IntLayer, IntNetwork, LayerLoss, Leak, NormTable
from ff2loihi.compilers.ir.learning import LearningLayer, LearningNetwork, UpdateRule
from ff2loihi.compilers.ir.network import ONE_PASS, Head, Input, Label, Layer, Network, PooledHead, split_input
from ff2loihi.compilers.ir.program import AnyProgram, Program, learns

__all__ = [
    "ONE_PASS",
    "AnyProgram",
    "Binning",
    "Head",
    "Input",
    "IntHead",
    "IntLabel",
    "IntLayer",
    "IntNetwork",
    "Label",
    "Layer",
    "LayerLoss",
    "Leak",
    "LearningLayer",
    "LearningNetwork",
    "Network",
    "NormTable",
    "PooledHead",
    "Program",
    "UpdateRule",
    "learns",
    "split_input",
]
