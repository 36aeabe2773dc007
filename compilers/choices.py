"""The closed choices of `ff2loihi compile`, by name; nothing heavy is imported, so that a misspelt one is told at once.

Each is defined here alone: options are annotated with it, and `get_args` gives its values.
"""

from typing import Literal

NeuronKind = Literal["graded", "lif"]
Reset = Literal["soft", "hard"]
TraceKind = Literal["relu", "li", "hard-li"]
Eligibility = Literal["none", "tag"]
InputCode = Literal["pixels", "contrast"]
Curve = Literal["linear", "squared", "stretched"]
