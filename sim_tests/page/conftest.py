"""Pages of networks that take events."""

from functools import partial

import pytest

from ff2loihi import api
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import load_data
from ff2loihi.data.events import options
from ff2loihi.ff.recipes import train
from ff2loihi.learning.controller import Schedule
from ff2loihi.page.page import page

SEEN = 12  # samples of a page


@pytest.fixture(scope="session")
def event_pages(tmp_path_factory):
    """A set's name -> (page, programs by name, data): digits that move, with our neurons and with library ones, one of
    them having learned; Yin-Yang, of an untrained net with its own leak and of one that float training made."""
    folder, found = tmp_path_factory.mktemp("events"), {}
    for name, events, forms in (
        ("digits", "saccades,steps=12", {
            "on": ("ffa-symmetric", 0, LearningOptions()),
            "library": ("ffa-symmetric", 0, LearningOptions(library=True)),
        }),
        ("yin-yang", "steps=16,parts=8,rounds=1", {
            "lif": ("ff-lif", 0, LearningOptions(curve="stretched")), "trained": ("ff-lif", 1, None),
        }),
    ):  # fmt: skip
        load = partial(load_data, name, events=options.parse(events))
        images, programs = load("train", limit=60), {}
        for form, (recipe, epochs, choices) in forms.items():
            train(recipe, images, epochs=epochs, widths=(20,)).save(folder / "m.pt")
            programs[f"{form}.ffl"] = api.compile(folder / "m.pt", images, choices)
        first, program = next(iter(programs.items()))
        programs[f"learned-{first}"] = api.learn(program, images, Schedule(epochs=1), checkpoint=folder / "run")
        data = load("test", limit=SEEN)
        found[name] = (page(programs, data), programs, data)
    return found
