"""What an event costs on a chip, as bands: energy in pJ, time in ns, power in W.

A band of Loihi 2 spans what is known: Intel publishes no table of it. Its low end scales Loihi 1's figures by what
Intel says of Loihi 2; its high end is Loihi 1's figure, or what a network that was measured would cost if all of it
were such events: PilotNet, an autoencoder of dense graded layers, or the updates of a network that learns.
An operation on a graded spike is counted as one on a binary spike: nobody published its cost.
"""

from ff2loihi.processes.limits import HALA_POINT_CHIPS, Cost, Limit

_DAVIES = "Davies 2018, IEEE Micro 38(1), table 2"
_PEAK = "Hala Point's 380 T synaptic operations a second at 2.6 kW: 6.8 pJ each at most efficiency"
_BRIEF = "Loihi 1's over 10: 'up to 10x' (Intel, Loihi 2 technology brief, 2021)"
_IN_UPDATES = "a core at work costs what its neuron updates cost"
_SCALED = "Loihi 1's figure times 6.8 / 23.6, the ratio of a synaptic operation"
_AS_LOIHI1 = f"as Loihi 1: {_DAVIES}"

PILOTNET = "Intel, lava-dl pilotnet_snn/benchmark.ipynb, Oheo Gulch"
PILOTNET_STEP_US = Limit(152.8, "us a step", "published", PILOTNET)
PILOTNET_STEP_KAPOHO_US = Limit(182.6, "us a step", "published", "the same network on Kapoho Point: 342.29 frames/s")
PILOTNET_STATIC_W = Limit(0.232, "W", "published", PILOTNET)
PILOTNET_DYNAMIC_W = Limit(0.447, "W", "published", PILOTNET)
PILOTNET_DYNAMIC_MJ = Limit(1.09, "mJ an inference of 16 steps", "published", PILOTNET)
PILOTNET_CORES = Limit(74, "cores", "published", PILOTNET)
PILOTNET_NEURONS = Limit(158_509, "neurons", "derived", "the layers' shapes that the notebook prints")
PILOTNET_BUSIEST = Limit(3168, "neurons of the fullest core", "published", PILOTNET)

AUTOENCODER = "256-128-64-32-64-128-256, graded, Loihi 2: arXiv 2608.18341, as read in a secondary source"
AUTOENCODER_CORES = Limit(74, "cores", "published", AUTOENCODER)
AUTOENCODER_OPS = Limit(3.0e5, "synaptic operations a sample", "published", AUTOENCODER)
AUTOENCODER_UPDATES = Limit(1.0e4, "neuron updates a sample", "published", AUTOENCODER)
AUTOENCODER_US = Limit(48.3, "us a sample, its input preloaded", "published", AUTOENCODER)
AUTOENCODER_DYNAMIC_MJ = Cost(
    Limit(0.0406, "mJ a sample", "published", AUTOENCODER), Limit(0.0426, "mJ a sample", "published", AUTOENCODER)
)
AUTOENCODER_NEURONS = Limit(928, "neurons", "derived", "the layers' widths, the input's 256 among them")
AUTOENCODER_STEPS = Limit(
    AUTOENCODER_UPDATES.value / AUTOENCODER_NEURONS.value, "steps a sample", "derived", "updates over neurons"
)

LEARNING = "an update of 9 steps, Loihi 2: arXiv 2609.32317, as read in a secondary source"
LEARNING_STEPS = Limit(9, "steps an update", "published", LEARNING)
LEARNING_US = Limit(58.42, "us an update", "published", LEARNING)
LEARNING_DYNAMIC_UJ = Limit(1.32, "uJ an update", "published", LEARNING)


def _same(value: float, unit: str, source: str = _DAVIES) -> Cost:
    return Cost(Limit(value, unit, "published", source), Limit(value, unit, "published", source))


def _loihi2(low: float, high: float, unit: str, low_source: str, high_source: str = _AS_LOIHI1) -> Cost:
    return Cost(Limit(low, unit, "derived", low_source), Limit(high, unit, "derived", high_source))


_NEURON_PJ_HIGH = PILOTNET_DYNAMIC_MJ.value / 16 * 1e9 / PILOTNET_NEURONS.value  # 430 pJ
_NEURON_NS_HIGH = PILOTNET_STEP_US.value * 1e3 / PILOTNET_BUSIEST.value  # 48 ns
_ALL_NEURONS = "PilotNet's step, if all of it were neuron updates"
_CORE_STEP_PJ_HIGH = (
    AUTOENCODER_DYNAMIC_MJ.high.value * 1e9 / (AUTOENCODER_CORES.value * AUTOENCODER_STEPS.value)
)  # 53 nJ
_ALL_CORES = f"{AUTOENCODER}, if all of it were cores at work"
_BARRIER_NS_HIGH = LEARNING_US.value * 1e3 / LEARNING_STEPS.value  # 6.5 us

LOIHI1 = {
    "synaptic operation": _same(23.6, "pJ"),
    "neuron update": Cost(Limit(52.0, "pJ", "published", _DAVIES), Limit(81.0, "pJ", "published", _DAVIES)),
    "synaptic update": _same(120.0, "pJ"),
    "spike in a tile": _same(1.7, "pJ"),
    "hop": Cost(Limit(3.0, "pJ", "published", _DAVIES), Limit(4.0, "pJ", "published", _DAVIES)),
    "core step": Cost(Limit(0.0, "pJ", "assumed", _IN_UPDATES), Limit(_CORE_STEP_PJ_HIGH, "pJ", "assumed", _ALL_CORES)),
    "synaptic operation time": _same(3.5, "ns"),
    "neuron update time": Cost(Limit(5.3, "ns", "published", _DAVIES), Limit(8.4, "ns", "published", _DAVIES)),
    "synaptic update time": _same(6.1, "ns"),
    "barrier": Cost(Limit(113.0, "ns", "published", _DAVIES), Limit(465.0, "ns", "published", _DAVIES)),
}
LOIHI2 = {
    "synaptic operation": _loihi2(6.8, 23.6, "pJ", _PEAK),
    "neuron update": _loihi2(15.0, _NEURON_PJ_HIGH, "pJ", _SCALED, _ALL_NEURONS),
    "synaptic update": _loihi2(34.6, 120.0, "pJ", _SCALED),
    "spike in a tile": _loihi2(0.5, 1.7, "pJ", _SCALED),
    "hop": _loihi2(0.9, 4.0, "pJ", _SCALED),
    "core step": Cost(Limit(0.0, "pJ", "assumed", _IN_UPDATES), Limit(_CORE_STEP_PJ_HIGH, "pJ", "derived", _ALL_CORES)),
    "synaptic operation time": _loihi2(0.35, 3.5, "ns", _BRIEF),
    "neuron update time": _loihi2(0.53, _NEURON_NS_HIGH, "ns", _BRIEF, _ALL_NEURONS),
    "synaptic update time": _loihi2(0.61, 6.1, "ns", _BRIEF),
    "barrier": _loihi2(113.0, _BARRIER_NS_HIGH, "ns", _AS_LOIHI1, f"{LEARNING}, if all of it were barriers"),
}
GENERATIONS = {1: LOIHI1, 2: LOIHI2}


def _assumed_of_loihi1(cost: Cost) -> Cost:
    return Cost(*(Limit(end.value, end.unit, "assumed", f"as Loihi 2: {end.source}") for end in cost))


# By generation: static power of a chip; of a board beside its chips: Hala Point's peak a chip bounds everything on it.
_CHIP_STATIC_W = Cost(
    Limit(0.5 * PILOTNET_STATIC_W.value, "W a chip", "assumed", "half of PilotNet's: idle cores are power-gated"),
    Limit(PILOTNET_STATIC_W.value, "W a chip", "published", PILOTNET),
)
_BOARD_W = Cost(
    Limit(0.0, "W a chip", "assumed", "chips alone"),
    Limit(2600 / HALA_POINT_CHIPS.value, "W a chip", "derived", "Hala Point's 2.6 kW at most, over its chips"),
)
CHIP_STATIC_W = {1: _assumed_of_loihi1(_CHIP_STATIC_W), 2: _CHIP_STATIC_W}
BOARD_W = {1: _assumed_of_loihi1(_BOARD_W), 2: _BOARD_W}
HOPS = Cost(  # between two cores of a mesh of 8 x 16
    Limit(1, "hops a spike", "assumed", "neighbours"),
    Limit(22, "hops a spike", "derived", "corner to corner of an 8 x 16 mesh; fewer where cores share a tile"),
)
CHIP_HOP = Cost(  # of spikes that leave the chip: no figure is public
    Limit(1, "times a hop", "assumed", "as on the chip"),
    Limit(100, "times a hop", "assumed", "off-chip links cost about two orders more"),
)
