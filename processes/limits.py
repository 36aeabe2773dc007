"""Every constant of the chip and of its simulator, once: name = value  # unit, source.

Sources: "Lava" is lava-nc 0.10.0's fixed-point models, as read and as tried.
"""

WEIGHT_MIN = -256  # weight LSB; mixed-sign weights are even, 8 bit (Lava: clip_weights, truncate_weights)
WEIGHT_MAX = 254  # weight LSB
WEIGHT_BITS = 8  # bits of a mixed-sign synapse, the sign included
MIN_WEIGHT_BITS = 2  # bits; one bit leaves no positive weight
INPUT_BITS = 8  # bits of a graded input; also the denominator's bits of a rate-coded one
HIDDEN_BITS = 8  # bits of a graded activity between layers
ACCUMULATOR_BITS = 24  # bits, signed: graded dendritic sums (Lava: a_in of the graded vectors)
DENDRITE_BITS = 16  # bits, signed: dendritic sums of a LIF (Lava: a_in of PyLifModelBitAcc)
STATE_BITS = 24  # bits, signed: u and v (Lava: uv_bitwidth)
V_LIMIT = (1 << (STATE_BITS - 1)) - 1  # v LSB; v saturates at +-V_LIMIT
ALIGN = 6  # bits; synaptic sums and thresholds are shifted left by this much (Lava: act_shift, vth_shift)
VTH_MAX = (1 << 17) - 1  # vth mantissa (Lava: precision=17)
BIAS_MANT_MAX = (1 << 12) - 1  # bias mantissa, 13 bit signed (Lava: precision=13)
BIAS_EXP_MAX = 7  # bias exponent, 3 bit
DU_NO_MEMORY = 4095  # current decay that leaves no memory (Lava: du + 1 = 4096)
POST_TRACE_MAX = 127  # post traces y1, y2, y3 and ours: 7 bit, unsigned on the chip (Lava: clipped to -128..127)
UPDATE_BITS = 7  # bits; a weight update is summed in 2^-7 weight LSB (Lava: bit-approximate learning rule applier)
TRACE_DECAY_TAU = 65535  # steps; Lava's tau of a trace that nobody decays, which is not for ever
TAG_MIN, TAG_MAX = -257, 255  # tag LSB after rounding (Lava)
PAYLOAD_BITS = 32  # bits of a graded spike on Loihi 2; the goodness sums travel in one
MAX_STEPS = 1024  # steps of a sample; ours: more than the sums of squared counts are sized for
FLOAT32_EXACT = 1 << 24  # integers up to here are exact in float32 (IEEE 754)
