"""The experiments of `ff2loihi reproduce`, by name."""

from ff2loihi.reproduce import continual, hebbian_ffa, hinton, negatives, tosato, transfer
from ff2loihi.reproduce.experiment import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    "hebbian-ffa": hebbian_ffa.EXPERIMENT,
    "hinton": hinton.EXPERIMENT,
    "tosato": tosato.EXPERIMENT,
    "negatives": negatives.EXPERIMENT,
    "transfer": transfer.EXPERIMENT,
    "continual": continual.EXPERIMENT,
}
