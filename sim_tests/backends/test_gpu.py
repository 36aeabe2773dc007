"""Networks that learn side by side have the emulator's bits each; a CPU runs their loop with one thread a lane."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from ff2loihi import api
from ff2loihi.backends.emulator.learner import Learner
from ff2loihi.backends.gpu.device import Gpu, Processor, threads
from ff2loihi.backends.gpu.group import Group, fits, shape
from ff2loihi.compilers import pipeline
from ff2loihi.compilers.errors import BackendError
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import train
from ff2loihi.learning.controller import Controller, Schedule
from ff2loihi.learning.run import Run
from ff2loihi.learning.together import Job, learn_together
from sim_tests.factories import with_events
from sim_tests.learning.conftest import learning_net, with_fields

pytestmark = pytest.mark.xdist_group("gpu")  # the loop is compiled once
SCHEDULES = [
    Schedule(epochs=2, seed=1, margin=0.001, revisit=1),
    Schedule(epochs=1, seed=2, jitter=1, margin=0.3, negatives="mixed"),
    Schedule(epochs=1, seed=3, margin=None),
    Schedule(epochs=1, seed=4, margin=None, negatives="random", jitter=2),
]
GENERATED = [seed for seed in range(0, 80, 2) if len(learning_net(seed).layers) == 1]


def device_here():
    try:
        return Gpu()
    except BackendError:
        return None


CUDA = device_here()


@pytest.fixture(scope="module", params=["processor", "gpu"])
def device(request):
    if request.param == "processor":
        return Processor()
    return CUDA or pytest.skip("no CUDA device here")


@pytest.fixture(scope="module")
def digits():
    data = load_data("digits", "train")
    return replace(data, images=data.images[:240], labels=data.labels[:240])


@pytest.fixture(scope="module")
def programs(digits):
    """Of one shape, and each with another trace, curve or start."""
    options = [{}, {"trace": "li"}, {"trace": "hard-li", "rate_exponent": 6}, {"curve": "stretched"}]
    made = []
    for seed, given in enumerate(options):
        saved = train("ffa-symmetric", digits, widths=(24,), epochs=0, seed=seed).checkpoint()
        checkpoint = pipeline.live_checkpoint(saved["tensors"], saved["spec"])
        untrained = replace(checkpoint, training=saved["training"], spec_apart=False)
        made.append(api.compile(untrained, digits, LearningOptions(**given, field=(5, 7))))
    return made


def shown(network, learner, seed):
    """What a controller saw of some images that it taught, random ones."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (40, network.pixels)).astype(np.uint8)
    images[rng.random(images.shape) < 0.4] = 0
    schedule = Schedule(seed=seed, margin=(0.2, None)[seed % 4 // 2], negatives=("hard", "mixed", "random")[seed % 3])
    controller = Controller(network, learner, schedule)
    leads = []
    for block in (slice(0, 1), slice(1, 25), slice(25, 40)):
        controller.set_rate(block.start / 40)
        leads += controller.learn(images[block], rng.integers(0, network.classes, 40)[block]).tolist()
    return controller.learned, controller.right, leads


def test_generated_networks_have_the_emulators_bits(device):
    """Any size, trace, probability, window and rate, half of them with fields; some of them must move weights."""
    moved = 0
    for seed in GENERATED:
        network = learning_net(seed) if seed % 4 else with_fields(learning_net(seed), seed)
        assert fits(network, "lava")
        emulator, lane = Learner(network), Group([network], device).lanes[0]
        assert shown(network, lane, seed) == shown(network, emulator, seed)
        np.testing.assert_array_equal(lane.weights[0], emulator.weights[0], err_msg=str(seed))
        assert lane.silent() == emulator.silent()
        moved += (emulator.weights[0] != network.layers[0].weight).mean() > 0.1
    assert moved > len(GENERATED) / 2


def test_a_run_among_others_is_a_run_alone(device, programs, digits):
    jobs = [Job(program, digits, schedule) for program, schedule in zip(programs, SCHEDULES, strict=True)]
    assert len({shape(job.program.network) for job in jobs}) == 1
    for job, learned in zip(jobs, learn_together(jobs, device), strict=True):
        alone = Run(*job, Learner(job.program.network)).go()
        np.testing.assert_array_equal(learned.network.layers[0].weight, alone.network.layers[0].weight)
        assert learned.provenance == alone.provenance
        assert (learned.network.layers[0].weight != job.program.network.layers[0].weight).mean() > 0.1
        left_out = [entry["left_out"] for entry in learned.provenance["learned"][0]["log"] if job.schedule.revisit]
        assert not job.schedule.revisit or sum(left_out) > 10


def test_a_lane_goes_on_where_its_state_was_taken(device, programs, digits):
    network = programs[0].network
    group = Group([network], device)

    def teach(lane, images):
        controller = Controller(network, lane, Schedule(seed=9))
        controller.learn(digits.images[images], digits.labels[images])
        return lane.weights[0]

    first = teach(group.lanes[0], slice(0, 50))
    state = group.lanes[0].state()
    then = teach(group.lanes[0], slice(50, 100))
    other = Group([network], device).lanes[0]
    other.restore(state)
    np.testing.assert_array_equal(other.weights[0], first)
    np.testing.assert_array_equal(teach(other, slice(50, 100)), then)
    assert (then != first).any()


def test_what_ends_one_lane_ends_all_of_them(device, programs, digits, monkeypatch):
    """Also where the others wait for it."""
    jobs = [Job(program, digits, Schedule(seed=seed)) for seed, program in enumerate(programs)]
    look = Run._look
    left = threading.active_count()

    def fail(run, step):
        if run.schedule.seed == 2:
            raise OSError("of one lane")
        return look(run, step)

    monkeypatch.setattr(Run, "_look", fail)
    monkeypatch.setattr("ff2loihi.learning.run.HEALTH_EVERY", 50)
    with pytest.raises(OSError, match="of one lane"):
        learn_together(jobs, device)
    assert threading.active_count() == left


@pytest.mark.parametrize(("seed", "rounding"), [(1, "lava"), (0, "chip")])
def test_what_no_lane_learns(seed, rounding):
    """Tags, chip rounding, more than one layer, and events."""
    assert not fits(learning_net(seed), rounding)
    deep = next(net for net in map(learning_net, range(0, 80, 2)) if len(net.layers) > 1)
    assert not fits(deep, "lava")
    plain = next(net for net in map(learning_net, range(0, 80, 2)) if fits(net, "lava"))
    assert not fits(with_events(plain), "lava")


@pytest.mark.skipif(CUDA is not None, reason="there is a CUDA device here")
def test_without_a_device_that_is_said():
    with pytest.raises(BackendError, match="no CUDA device here|does not start") as error:
        Gpu()
    assert error.value.exit_code == 3


def test_a_block_has_whole_warps_of_threads():
    assert [threads(n) for n in (1, 32, 33, 500, 4000)] == [32, 32, 64, 512, 512]
