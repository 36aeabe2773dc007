"""Every constant of the chip and of its simulator, once: name = value  # unit, source.

Sources: "Lava" is lava-nc 0.10.0's fixed-point models, as read and as tried; "N" is a public
notebook or repository, "I" inferred. What limits a real chip is a Limit, with
its certainty; compilers/board/chips.yaml puts them together into chips and boards, and costs.py says what events cost.
"""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

Int = Annotated[int, Field(strict=True, ge=-(1 << 31), lt=1 << 31)]  # a constant of a network, as a file may hold it

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
DECAY_ONE = 1 << 12  # a decay that leaves nothing (Lava: decay_unity)
DU_NO_MEMORY = 4095  # current decay that leaves no memory (Lava: du + 1 = 4096)
POST_TRACE_MAX = 127  # post traces y1, y2, y3 and ours: 7 bit, unsigned on the chip (Lava: clipped to -128..127)
UPDATE_BITS = 7  # bits; a weight update is summed in 2^-7 weight LSB (Lava: bit-approximate learning rule applier)
TRACE_DECAY_TAU = 65535  # steps; Lava's tau of a trace that nobody decays, which is not for ever
TAG_MIN, TAG_MAX = -257, 255  # tag LSB after rounding (Lava)
MODULATION_BITS = 24  # bits, signed, of the third factor's spikes: times a trace of 7 bits they fit PAYLOAD_BITS
PAYLOAD_BITS = 32  # bits of a graded spike on Loihi 2; the goodness sums travel in one
MIN_STEPS, MAX_STEPS = 2, 1024  # steps of a spiking sample; ours: more than sums of squared counts are sized for
MAX_LEARNING_STEPS = POST_TRACE_MAX  # steps of a presentation that teaches: a trace counts up to 127
MAX_LEARNING_INPUTS = 1 << 16  # inputs of a layer that learns; ours: the sum of their weights, << ALIGN, fits in int32
MAX_CLASSES = 1000  # ours: each is one pass of a sample
MAX_TAPS = 1 << 27  # inputs that the positions of a convolution see, each position's own; ours: 1 GiB of indices
RATE_EXPONENT_MAX = 7  # 2^-7 weight LSB is the update's last bit; a right shift of a signed y below it biases to -1
NORM_FRACTION = 15  # bits of a normalisation table's entries; ours
NORM_ENTRY_BITS = 5  # 2^5 entries an octave of a normalisation table; ours
FLOAT32_EXACT = 1 << 24  # integers up to here are exact in float32 (IEEE 754)
ADAPTER_STEPS_IN = 1  # steps from the host into a core, a Dense apart (N: PilotNet on Loihi 2: sent at 0, there at 2)
ADAPTER_STEPS_OUT = 1  # steps from a core to the host (I: the way back takes as long)
ADAPTER_BITS = 24  # bits of a graded message through an adapter (N: PyToNxAdapter(num_message_bits=24))
EXTENSION_OF_LAVA = {"0.8": "0.5", "0.10": "0.7"}  # lava-nc -> lava-loihi that belongs to it (N)
GENERATIONS = ("N3B2", "N3B3", "N3C1", "N3D1")  # LOIHI_GEN of Loihi 2 (Lava: utils.loihi.ChipGeneration)


class Limit(NamedTuple):
    """One figure of a chip or a board. certainty: published, derived from what was published, or assumed."""

    value: int | float
    unit: str
    certainty: Literal["published", "derived", "assumed"]
    source: str


class Cost(NamedTuple):
    """What one event costs, as a band: low and high, each with its certainty and source."""

    low: Limit
    high: Limit


_DAVIES = "Davies 2018, IEEE Micro 38(1)"
_NENGO = "nengo-loihi 1.1, which enforces it"
_BRIEF = "Intel, Loihi 2 technology brief, 2021"
_TABLE = "Intel's compiler, lava-dl netx notebooks, 'Per core utilization'"
_SYNMEM = "Intel's compiler, lava-dl pilotnet_snn/benchmark.ipynb, 'Violation ... SynMem'"
_PILOTNET = "Intel's compiler, lava-dl pilotnet_snn/benchmark.ipynb"

LOIHI1_CORES = Limit(128, "cores a chip", "published", _DAVIES)
LOIHI1_NEURONS = Limit(1024, "neurons a core", "published", _DAVIES)
LOIHI1_AXONS_IN = Limit(4096, "axons a core", "published", _NENGO)
LOIHI1_AXONS_OUT = Limit(4096, "axons a core", "published", _NENGO)
LOIHI1_SYNAPTIC_WORDS = Limit(16384, "words of 64 bits a core", "published", _NENGO)
LOIHI1_NEURON_GROUPS = Limit(8, "threshold configurations a core", "published", _NENGO)
LOIHI1_PAYLOAD_BITS = Limit(0, "bits of a graded spike", "published", _DAVIES)

LOIHI2_CORES = Limit(120, "cores a chip", "derived", "128 on the die (Intel); 120 are what compilers plan with")
LOIHI2_NEURONS = Limit(8192, "neurons a core", "published", _BRIEF)
LOIHI2_AXONS_IN = Limit(16000, "axons a core", "derived", f"{_TABLE}: 784 axons print as 4.90 %")
LOIHI2_AXONS_OUT = Limit(16000, "axons a core", "derived", f"{_TABLE}: 2688 of AxonMap print as 16.80 %")
LOIHI2_SYNAPTIC_WORDS = Limit(12000, "words of 64 bits a core", "published", _SYNMEM)
LOIHI2_NEURON_GROUPS = Limit(8, "neuron groups a core", "derived", f"{_TABLE}: 1 group prints as 12.50 %")
LOIHI2_PAYLOAD_BITS = Limit(PAYLOAD_BITS, "bits of a graded spike", "published", _BRIEF)

LOIHI2_TABLE_NEURONS = Limit(4095, "neurons", "derived", f"{_TABLE}: 3584 print as 87.52 %, 2688 as 65.64 %")
LOIHI2_TABLE_WORDS = Limit(16000, "words", "derived", f"{_TABLE}: 54 words of a 3 x 3 kernel print as 0.34 %")
LOIHI2_TABLE_TOTAL = Limit(20000, "entries", "derived", f"{_TABLE}: the sum of all columns' counts, ten rows")

SYNAPSE_BITS = Limit(15, "bits a dense synapse of 8 bits", "derived", f"{_SYNMEM}: words of 10, 50 and 100 axons")
SYNAPSE_BITS_LOIHI1 = Limit(15, "bits a dense synapse of 8 bits", "assumed", "as Loihi 2")
KERNEL_BITS = Limit(8, "bits a kernel weight, once a core", "derived", f"{_TABLE}: 54 words of a 3 x 3 kernel")
KERNEL_BITS_LOIHI1 = Limit(8, "bits a kernel weight, once a core", "assumed", "as Loihi 2")
KERNEL_AXONS = Limit(2, "axons a core, of a convolution", "derived", f"{_TABLE}: 1 or 2 for any convolution")
ROW_BITS = Limit(36, "bits a row of synapses", "derived", f"{_SYNMEM}: words of 10, 50 and 100 axons")
ROW_BITS_LOIHI1 = Limit(36, "bits a row of synapses", "assumed", "as Loihi 2")
PLASTIC_FACTOR = Limit(2.1, "times a static row", "assumed", "1.5 to 2.1: tag and rule index beside each weight")
COMPILER_FACTOR = Limit(2, "times the fewest cores", "derived", f"{_PILOTNET}: its last convolution took 2, not 1")

CHIP_WEIGHT_BITS = Limit(WEIGHT_BITS, "bits, the sign included", "published", _DAVIES)
CHIP_VTH_MAX = Limit(VTH_MAX, "threshold mantissa, << 6", "published", "Lava: precision=17; Davies 2018")
CHIP_DECAY_MAX = Limit(4096, "decay, of 4096: 12 bits", "published", "Lava: LIF, precision=12")
CHIP_BIAS_MANT_MAX = Limit(BIAS_MANT_MAX, "bias mantissa, 13 bits signed", "published", "Lava: precision=13")
CHIP_STATE_BITS = Limit(STATE_BITS, "bits of u and v, signed", "published", "Lava: uv_bitwidth")
CHIP_TRACE_BITS = Limit(7, "bits of a trace, unsigned", "published", _DAVIES)
CHIP_TAG_BITS = Limit(8, "bits of a tag beside its sign", "published", _DAVIES)

KAPOHO_BAY_CHIPS = Limit(2, "chips", "published", "Davies 2021, Proc. IEEE 109(5)")
NAHUKU_CHIPS = Limit(32, "chips", "published", "Davies 2021, Proc. IEEE 109(5)")
POHOIKI_SPRINGS_CHIPS = Limit(768, "chips", "published", "Davies 2021, Proc. IEEE 109(5)")
OHEO_GULCH_CHIPS = Limit(1, "chips", "published", _BRIEF)
KAPOHO_POINT_CHIPS = Limit(8, "chips", "published", "Intel, Kapoho Point announcement, 2022")
HALA_POINT_CHIPS = Limit(1152, "chips", "published", "Intel, Hala Point announcement, 2024")
