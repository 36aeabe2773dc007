"""report of networks that take events: the sample's spikes in place of an image, and the rest from the same rooms."""

import json
import re
import shlex
from dataclasses import replace

import numpy as np
import pytest

from ff2loihi import api
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers.errors import DataError
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import load_data
from ff2loihi.data.events import options
from ff2loihi.ff.recipes import train
from ff2loihi.page import redo
from ff2loihi.page.drawing import SPIKES, inputs, sensor
from ff2loihi.page.moments import moments
from ff2loihi.page.page import page
from sim_tests.page.test_page import Read, snapshots


def marks(html):
    """How many dashes each raster of inputs has."""
    return [
        re.search(r'class="spikes"[^>]* d="([^"]*)"', part)[1].count("M")
        for part in html.split('<figure class="inputs">')[1:]
    ]


@pytest.mark.parametrize("name", ["digits", "yin-yang"])
def test_the_raster_has_a_mark_for_each_spike_of_the_sample(event_pages, name):
    made, _, data = event_pages[name]
    Read(made.html)  # its tags nest
    counts = [np.unpackbits(data.images[index]).sum() for index in made.facts["shown"]]
    assert marks(made.html) == counts
    assert min(counts) >= 5
    assert ("spikes over the sensor</h4>" in made.html) is (name == "digits")
    assert 'class="thumb"' not in made.html
    assert ("A presentation shows the sample 2 times" in made.html) is (name == "digits")


@pytest.mark.parametrize("name", ["digits", "yin-yang"])
def test_the_neurons_spikes_are_those_that_the_goodness_counts(event_pages, name):
    made, programs, data = event_pages[name]
    some = 0
    for model, program in programs.items():
        trace, [layer, *_] = Emulator().run(program, data.images), program.network.layers
        assert made.facts["models"][model]["accuracy"] == (trace.predictions == data.labels).mean()
        for index in range(4):
            [moment, *_] = moments(program, data.images[index], index, {"true": int(data.labels[index])})["true"]
            assert moment.v.shape == (data.events.presented, layer.neurons)  # of library neurons, too: logical steps
            counts = moment.spikes.sum(0)
            sums = ((counts[layer.positive] ** 2).sum(), (counts[~layer.positive] ** 2).sum())
            assert tuple(trace.sums[index, data.labels[index], 0, 0]) == sums
            some += counts.sum()
    assert some > 50


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [("digits", (8, 8), "The mean of polarities and parts."), ("yin-yang", (8, 5), "a row each polarity or part")],
)
def test_weights_while_it_learned_say_what_a_picture_is(event_pages, name, shape, said):
    made = event_pages[name][0]
    drawn = snapshots(made.html)
    assert len(drawn) == 8 * 8  # neurons, moments
    assert {levels.shape for levels in drawn.values()} == {shape}
    assert sum(np.abs(levels).sum() for levels in drawn.values()) > 100
    caption = made.html.partition("weights while it learned")[2].partition("</figcaption>")[0]
    assert said in " ".join(caption.split())


@pytest.mark.parametrize("name", ["digits", "yin-yang"])
def test_its_event_rate_and_synaptic_operations_are_those_of_estimate(
    ff2loihi, event_pages, tmp_path, monkeypatch, name
):
    made, programs, data = event_pages[name]
    monkeypatch.chdir(tmp_path)
    first = next(iter(programs))
    api.save(programs[first], tmp_path / "m.ffl")
    line = ("estimate", "m.ffl", "--data", name, "--limit", len(data.labels), "--json", "e.json")
    assert ff2loihi(*line)[0] == 0
    estimated = json.loads((tmp_path / "e.json").read_text())
    facts = json.loads(json.dumps(made.facts["models"][first]))
    assert (facts["events"], facts["estimates"]) == (estimated["events"], estimated["estimates"])
    spikes = np.unpackbits(data.images).sum() / len(data.labels)
    assert made.facts["input_spikes"] == spikes > 0
    text = " ".join(Read(made.html).text.split())
    share = spikes / data.events.steps / data.inputs
    assert f"A sample has {spikes:,.1f} spikes on average: an input spikes in {share:.2%}" in text
    operations = estimated["events"]["inference"]["synaptic_ops"]
    assert operations[0] > 0
    assert f"{operations[0]:,.0f}" in made.html.partition('id="energy"')[2]


@pytest.mark.parametrize("name", ["digits", "yin-yang"])
def test_its_commands_say_how_events_were_binned(event_pages, name):
    _, programs, data = event_pages[name]
    binning = data.events.model_copy(update={"most": 3, "merged": True})
    for program in programs.values():
        for events in (data.events, binning):
            lines = redo.commands("n.ffl", replace(program, network=replace(program.network, events=events)))
            words = shlex.split(lines[0])
            asked = options.parse(words[words.index("--events") + 1])
            assert replace(asked, sensor=events.sensor) == options.events_of(events)


def test_polarities_stand_side_by_side_and_too_many_spikes_are_thinned():
    spikes = np.zeros((3, 2, 4, 2), bool)
    spikes[:, 0, 1, 0] = spikes[0, 1, 3, 1] = True
    drawn = sensor(spikes, 2, "spikes")
    assert 'viewBox="0 0 9 2"' in drawn
    assert 'class="ink l4" d="M1 0h1v1h-1z"' in drawn.partition("polarity 1")[0]
    assert 'class="ink l1" d="M3 1h1v1h-1z"' in drawn.partition("polarity 1")[2]
    full = np.ones((20, 2 * SPIKES // 20), bool)
    assert f"{2 * SPIKES:,} spikes of {full.shape[1]} inputs in 20 steps, 1 of 2 inputs drawn" in inputs(full, "spikes")
    assert inputs(full, "spikes").count("h") < 1.1 * SPIKES


@pytest.mark.parametrize(
    ("sides", "asked", "said"),
    [
        ((1, 1, 700), "parts=5", ("A column the mean of 14 inputs, a row each polarity or part",)),
        ((2, 90, 128), "", ("The mean of polarities and parts. A square the mean of 3 x 3 pixels.",
                            "a picture a polarity, 3 x 3 pixels a square.")),
        ((2, 34, 34), "parts=3", ("a picture a polarity.", "The mean of polarities and parts.</figcaption>")),
    ],
    ids=["SHD", "a large sensor", "N-MNIST"],
)  # fmt: skip
def test_a_page_of_large_samples_is_small_and_says_what_a_square_is(tmp_path, sides, asked, said):
    """As many inputs as recordings have, and as many spikes."""
    rng = np.random.default_rng(0)
    events = rng.random((12, 10, *sides)) < 4000 / (10 * np.prod(sides))
    np.savez(tmp_path / "x.npz", events=events, labels=np.arange(12) % 3)
    data = load_data(str(tmp_path / "x.npz"), "train", events=options.parse(asked))
    train("ffa-symmetric", data, epochs=0, widths=(40,)).save(tmp_path / "m.pt")
    html = page({"m.ffl": api.compile(tmp_path / "m.pt", data, LearningOptions())}, data).html
    text = re.sub(r"\s+(?=<)|(?<=>)\s+", "", re.sub(r"\s+", " ", html))
    assert [part for part in said if part not in text] == []
    assert len(html.encode()) < 1_000_000
    assert min(marks(html)) > 1000


def test_the_command_bins_as_the_models_do_and_refuses_others(
    ff2loihi, refused, event_pages, networks, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    programs = event_pages["yin-yang"][1]
    api.save(programs["lif.ffl"], tmp_path / "m.ffl")
    code, _, err = ff2loihi(
        "report", "m.ffl", "--data", "yin-yang", "--samples", 12, "-o", "r.html", "--json", "r.json"
    )
    assert (code, err) == (0, "")
    assert marks((tmp_path / "r.html").read_text(encoding="utf-8")) == [5] * 4
    assert api.report({"m.ffl": programs["lif.ffl"]}, "yin-yang:12").facts["data"] == "yin-yang"
    line = refused("report", "m.ffl", networks["on.ffl"], "--data", "yin-yang", "-o", "r.html")[1]
    assert "takes images, m.ffl takes events. Make a report of each" in line
    api.save(event_pages["digits"][1]["on.ffl"], tmp_path / "d.ffl")
    assert (
        "takes events of another binning" in refused("report", "m.ffl", "d.ffl", "--data", "digits", "-o", "r.html")[1]
    )
    line = refused("report", networks["m.pt"], "--data", "yin-yang", "-o", "r.html")[1]
    assert "m.pt: takes images, yin-yang holds events. Use --data with what it was trained on" in line
    with pytest.raises(DataError, match="images, the model takes events"):
        page({"m.ffl": programs["lif.ffl"]}, replace(load_data("digits", "test", limit=12), classes=3))
