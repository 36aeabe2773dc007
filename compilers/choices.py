"""The closed choices of `compile` and `map`, by name; nothing heavy is imported: a misspelt one is told at once.

Each is defined here alone: options are annotated with it, and `get_args` gives its values.
"""

from typing import Literal

NeuronKind = Literal["graded", "lif"]
Reset = Literal["soft", "hard"]
TraceKind = Literal["relu", "li", "hard-li"]
Eligibility = Literal["none", "tag"]
InputCode = Literal["pixels", "contrast"]
Curve = Literal["linear", "squared", "stretched"]
BoardForm = Literal["deployed", "microcode"]  # of `map` and `estimate`: which neurons of a network they count
