"""What a spec, an artifact and the networks between them say alike: the neuron that was trained, the probability."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ff2loihi.processes.limits import MAX_LEARNING_STEPS

Readout = Literal["goodness", "softmax", "vote", "head", "channels", "pooled"]
Goodness = Literal["sum_squares", "mean_squares", "l2", "rms", "l1"]  # rms: the root of mean_squares
HeadActivities = Literal["l2", "rms", "raw"]  # h / ||h||_2, h / sqrt(mean h^2), h
Flag = Annotated[bool, Field(strict=True)]
Float = Annotated[float, Field(strict=True, allow_inf_nan=False)]  # as an artifact holds it
WHERE_USED = Field(exclude_if=lambda value: not value)  # of a key that older readers refuse: written where it says more


class Strict(BaseModel):
    """Refuses unknown keys, NaN and infinity, and is never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LIF(Strict):
    """A net trained as it spikes: v' = decay v + W s, z = v' > threshold, v = 0 where z, and the trace r at the end.

    r' = r + z (relu), trace_decay r + z (li), 1 where z and trace_decay r elsewhere (hard-li): Terres-Escudero 2024,
    eq. 11 to 13. An input spikes at `rate` times its value a step.
    """

    kind: Literal["lif"]
    decay: float = Field(default=0.85, ge=0, le=1)
    threshold: float = Field(default=1.0, gt=0)  # in the weights' unit
    trace: Literal["relu", "li", "hard-li"] = "relu"
    trace_decay: float = Field(default=0.85, ge=0, le=1)
    steps: int = Field(default=24, ge=4, le=MAX_LEARNING_STEPS)
    rate: float = Field(default=0.25, ge=1 / 256, le=1)


class Sigmoid(Strict):
    """P = sigmoid(alpha (G - theta))."""

    kind: Literal["sigmoid"]
    theta: float
    alpha: float = Field(default=1.0, gt=0)


class Symmetric(Strict):
    """P = (G+ + epsilon) / (G+ + G- + 2 epsilon)."""

    kind: Literal["symmetric"]
    epsilon: float = Field(default=1e-8, ge=0, le=1e100)


class Contrast(Strict):
    """No probability of one sample: the loss compares Gneg with Gpos."""

    kind: Literal["contrast"]


Probability = Annotated[Sigmoid | Symmetric | Contrast, Field(discriminator="kind")]
