"""report: one page that needs nothing else, whose figures are those of the other commands."""

import base64
import hashlib
import json
import re
import shlex
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product

import numpy as np
import pytest
import torch

from ff2loihi import api
from ff2loihi.backends import float_net
from ff2loihi.backends.emulator.inference import Emulator
from ff2loihi.compilers import pipeline
from ff2loihi.compilers.errors import CompileError, DataError
from ff2loihi.compilers.frontend import network as frontend
from ff2loihi.compilers.inference.quantize import Options
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import train
from ff2loihi.learning.snapshots import history
from ff2loihi.page import gather, redo
from ff2loihi.page.drawing import raster
from ff2loihi.page.moments import Moment, moments
from ff2loihi.page.page import page
from ff2loihi.reports.accuracy import accuracy_report

ARTIFACTS = ("graded", "soft", "hard", "conv", "head", "on", "library", "learned")
VOID = {"meta", "link", "img", "input", "br", "hr", "col", "source", "base"}
HTML = "<img src=x onerror=alert(1)>"


class Read(HTMLParser):
    """elements: (tag, attributes) in their order; text: what stands outside of style and script; hidden: what is not
    shown without a script. Raises AssertionError where tags do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements, self.open, self.text, self.cells = [], [], "", []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data
            if any(tag in ("td", "th") for tag in self.open):
                self.cells[-1] += data

    def after(self, first: str, number: int) -> list[str]:
        """The cells of the first row that begins with `first`."""
        start = self.cells.index(first)
        return [cell.strip() for cell in self.cells[start : start + number]]


@pytest.fixture(scope="module")
def data():
    return load_data("digits", "test", limit=40)


@pytest.fixture(scope="module")
def sources(networks):
    found = {name: pipeline.load_checkpoint(networks[name]) for name in ("m.pt", "h.pt", "c.pt")}
    return found | {f"{name}.ffl": api.load(networks[f"{name}.ffl"]) for name in ARTIFACTS}


@pytest.fixture(scope="module")
def made(sources, data):
    return page(sources, data, "ff2loihi report m.pt")


@pytest.fixture(scope="module")
def read(made):
    return Read(made.html)


def test_it_is_html_that_loads_nothing(made, read):
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(set(ids)) == len(ids) > 5
    links = [attributes["href"] for _, attributes in read.elements if "href" in attributes]
    assert links
    assert {link[1:] for link in links} <= set(ids)
    assert not {"src", "srcset", "data", "action", "background", "poster"} & {
        name for _, attributes in read.elements for name in attributes
    }
    assert not {"link", "img", "iframe", "object", "embed", "base", "image", "use"} & {tag for tag, _ in read.elements}
    assert not re.search(r"https?:|url\(|@import|\bon\w+=", made.html)
    [policy] = [attributes["content"] for _, attributes in read.elements if "http-equiv" in attributes]
    [script] = re.findall(r"<script>(.*?)</script>", made.html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert made.html.startswith("<!doctype html>\n<!-- ff2loihi report -->\n")
    assert len(made.html) < 2_000_000


def test_without_a_script_it_shows_one_sample_under_its_true_label(read):
    shown = [attributes for _, attributes in read.elements if "data-sample" in attributes]
    assert {attributes["data-sample"] for attributes in shown} == {"0", "1", "2", "3"}
    assert {attributes.get("data-label") for attributes in shown} == {None, "true", "wrong"}
    visible = [attributes for attributes in shown if "hidden" not in attributes]
    assert {attributes["data-sample"] for attributes in visible} == {"0"}
    assert {attributes.get("data-label") for attributes in visible} == {None, "true"}
    assert {attributes.get("data-neuron") for attributes in visible} == {None, "0"}


def test_the_best_wrong_label_is_named_where_the_model_did_not_take_it(made, data):
    said = re.findall(r'<p class="note">Called (\d+), which is (\w+)([^<]*)</p>', made.html)
    assert {kind for _, kind, _ in said} == {"right", "wrong"}
    for called, kind, more in said:
        named = re.fullmatch(r"; the best wrong label is (\d+)\.", more)
        assert (kind == "right") == bool(named)
        assert named or more == "."
        assert not named or named[1] != called


@pytest.mark.parametrize("name", ARTIFACTS)
def test_its_accuracy_confusion_and_goodness_are_those_of_run(made, read, sources, data, name):
    found, facts = api.run(sources[f"{name}.ffl"], data), made.facts["models"][f"{name}.ffl"]
    share = f"{found.accuracy:.2%} ± {found.standard_error:.2%}"
    assert read.after(f"{name}.ffl", 3)[2] == share
    for key in ("accuracy", "confusion", "goodness_true", "goodness_wrong", "spikes", "layers"):
        assert facts[key] == getattr(found, key)
    section = made.html.partition('id="confusion"')[2].partition("</section>")[0]
    article = next(part for part in section.split("<article") if f"{name}.ffl" in part)
    counts = [int(count) for count in re.findall(r"--p:[\d.]+\">(\d+)<", article)]
    assert counts == list(np.ravel(found.confusion))
    assert sum(counts) == len(data.labels)
    if found.goodness_true:
        section = made.html.partition('id="layers"')[2].partition("</section>")[0]
        assert f">{found.goodness_true[0]:.4g}<" in section


@pytest.mark.parametrize("name", ["graded", "soft", "on", "library"])
def test_its_cores_and_bands_are_those_of_map_and_estimate(ff2loihi, networks, made, read, tmp_path, name):
    facts, model = made.facts["models"][f"{name}.ffl"], networks[f"{name}.ffl"]
    assert ff2loihi("map", model, "--json", tmp_path / "m.json")[0] == 0
    assert ff2loihi("estimate", model, "--limit", 40, "--json", tmp_path / "e.json")[0] == 0
    assert json.loads(json.dumps(facts["map"])) == json.loads((tmp_path / "m.json").read_text())
    estimated = json.loads((tmp_path / "e.json").read_text())["estimates"]
    assert json.loads(json.dumps(facts["estimates"])) == estimated
    low, high = next((row["low"], row["high"]) for row in estimated["inference"]["rows"] if row["what"] == "chip")
    assert high > low > 0
    assert f"{low:.2g} to {high:.2g}" in read.after(f"{name}.ffl", 7)


def test_what_a_layer_lost_is_what_the_compiler_measured(made, sources):
    section = made.html.partition('id="layers"')[2].partition("</section>")[0]
    for name in ("graded", "soft"):
        for loss in sources[f"{name}.ffl"].losses:
            for text in (f"{loss.weight_sqnr_db:.1f} dB", f"{loss.activity_corr:.4f}", f"{loss.saturated:.2%}"):
                assert f">{text}<" in section


def test_the_float_net_is_what_torch_computes(data):
    for recipe, epochs, options in (
        ("ffa-symmetric", 3, {}), ("ff-mlp", 3, {"head": True}), ("tosato-bp", 60, {}),
    ):  # fmt: skip
        model = train(recipe, load_data("digits", "train", limit=300), epochs=epochs, widths=(20, 12), **options)
        content = model.checkpoint()
        net = frontend.build(pipeline.live_checkpoint(content["tensors"], content["spec"]))
        trace = float_net.run(net, data.images)
        wanted = model.scores(torch.from_numpy(data.images / np.float32(255))).detach().numpy()
        assert (trace.predictions == wanted.argmax(1)).mean() > 0.97
        assert accuracy_report(net, trace, data.labels).accuracy > 0.3
    assert trace.goodness.shape == (40, 1, 2)


def test_the_goodness_of_a_float_layer_is_the_sum_of_its_squares(sources, data):
    net = frontend.build(sources["m.pt"])
    trace = float_net.run(net, data.images)
    x = np.concatenate([data.images[3] / 255, net.label.codes[7]])
    h = np.maximum(net.layers[0].weight @ x, 0) ** 2
    positive, e = net.layers[0].positive, net.probability.epsilon
    assert trace.goodness[3, 7, 0] == pytest.approx((h[positive].sum() + e) / (h.sum() + 2 * e), rel=1e-4)


@pytest.mark.parametrize("name", ["soft", "hard"])
def test_the_spikes_of_inference_are_those_of_the_run(sources, data, name):
    program = sources[f"{name}.ffl"]
    trace = Emulator().run(program, data.images)
    found = moments(program, data.images[5], 5, {"true": 2, "wrong": 8})
    for kind, label in (("true", 2), ("wrong", 8)):
        assert [moment.spikes.sum() for moment in found[kind]] == trace.spikes[5, label].tolist()
        assert [moment.v.shape[0] for moment in found[kind]] == [4, 4]
    assert trace.spikes[5].any()
    assert (found["true"][0].v != found["wrong"][0].v).any()


@pytest.mark.parametrize("name", ["on", "library"])
def test_the_spikes_of_a_network_that_learns_are_those_that_its_goodness_counts(sources, data, name):
    """Each sample begins with its own phases: its squared counts are the goodness sums of the run."""
    program = sources[f"{name}.ffl"]
    trace, positive, seen = Emulator().run(program, data.images), program.network.layers[0].positive, set()
    for index in range(8):
        found = moments(program, data.images[index], index, {"true": 2, "wrong": int(data.labels[index])})
        for kind, label in (("true", 2), ("wrong", data.labels[index])):
            counts = found[kind][0].spikes.sum(0)
            sums = ((counts[positive] ** 2).sum(), (counts[~positive] ** 2).sum())
            assert tuple(trace.sums[index, label, 0, 0]) == sums
            seen.add(sums)
    assert len(seen) > 2


def test_graded_neurons_have_payloads_and_a_net_without_a_label_one_presentation(sources, data):
    found = moments(sources["graded.ffl"], data.images[5], 5, {"true": 2, "wrong": 8})
    trace = Emulator().run(sources["graded.ffl"], data.images)
    assert [(moment.payloads > 0).sum() for moment in found["wrong"]] == trace.spikes[5, 8].tolist()
    assert found["wrong"][0].v is None
    assert set(moments(sources["conv.ffl"], data.images[5], 5, {"true": 2, "wrong": 8})) == {"true"}


def test_a_raster_has_a_dot_for_every_spike():
    spikes = np.random.default_rng(0).random((12, 30)) < 0.3
    moment = Moment("hidden1", np.zeros((12, 30)), spikes, 64)
    drawn = raster([moment], [list(range(30))], "spikes")
    [path] = re.findall(r'class="spikes"[^>]* d="([^"]*)"', drawn)
    assert path.count("M") == spikes.sum() > 50
    assert "hidden1: 30 of 30 neurons spike" in drawn


PICTURE = re.compile(r'<g transform="[^"]*"><title>neuron (\d+), ([\d,]+) samples</title>(.*?)</g>', re.DOTALL)
RUN = re.compile(r"M(\d+) (\d+)h(\d+)v1h-\d+z")


def snapshots(html):
    """(neuron, samples) -> levels (height, width) of the weights as they are drawn."""
    found = {}
    for neuron, samples, body in PICTURE.findall(html):
        width, height = re.search(r'width="(\d+)" height="(\d+)"', body).groups()
        levels = np.zeros((int(height), int(width)), int)
        for sign, level, path in re.findall(r'class="(plus|minus) l(\d)" d="([^"]*)"', body):
            for x, y, length in (map(int, run) for run in RUN.findall(path)):
                levels[y, x : x + length] = int(level) if sign == "plus" else -int(level)
        found[int(neuron), int(samples.replace(",", ""))] = levels
    return found


def test_weights_while_it_learned_are_drawn_as_the_run_kept_them(made, sources):
    [run] = sources["learned.ffl"].provenance["learned"]
    drawn, kept = snapshots(made.html), history([run])
    assert set(drawn) == {(neuron, count) for neuron in kept.neurons for count in kept.samples}
    most = np.abs(kept.weights).max()
    for (row, neuron), (column, count) in product(enumerate(kept.neurons), enumerate(kept.samples)):
        wanted = np.rint(4 * np.abs(kept.weights[column, row]) / most) * np.sign(kept.weights[column, row])
        np.testing.assert_array_equal(drawn[neuron, count], wanted)
    first, last = ([drawn[neuron, kept.samples[place]] for neuron in kept.neurons] for place in (0, -1))
    assert (np.array(first) != np.array(last)).mean() > 0.05
    assert f">-{most}<" in made.html
    assert f">+{most}<" in made.html
    assert "snapshots" not in Read(made.html).text


def test_a_sample_that_a_model_gets_wrong_is_among_those_that_are_drawn(data):
    class Right:
        predictions = data.labels

    class Wrong:
        predictions = np.where(np.arange(40) == 17, data.labels + 1, data.labels)

    assert gather._shown(data, [Right]) == (0, 1, 2, 3)
    assert gather._shown(data, [Right, Wrong]) == (0, 1, 2, 17)


def test_text_from_files_is_text(sources, data):
    program = sources["learned.ffl"]
    named = {**program.provenance, "checkpoint": {"name": HTML, "sha256": HTML}, "note": f"</script>{HTML}"}
    named["learned"] = [{**named["learned"][0], "data": f"{HTML} train"}]
    made = page({HTML: replace(program, provenance=named)}, replace(data, name=f"{HTML}.npz"), f"ff2loihi {HTML}")
    read = Read(made.html)
    assert not [tag for tag, _ in read.elements if tag == "img"]
    assert [tag for tag, _ in read.elements].count("script") == 1
    assert read.text.count(HTML) > 10


def test_rows_that_a_program_holds_are_shown_and_all_may_be_right(sources, data):
    program = sources["graded.ffl"]
    rows = np.concatenate([data.images, data.images[:, :1]], axis=1)[:, :63]
    net = program.network
    narrow = replace(net.layers[0], weight=net.layers[0].weight[:, 1:])
    fewer = replace(net, pixels=63, phases=net.phases[1:], layers=(narrow, *net.layers[1:]))
    program = replace(program, network=fewer, provenance={})
    right = Emulator().run(program, rows).predictions
    made = api.report({"p": program}, (rows, right))
    assert made.facts["models"]["p"]["accuracy"] == 1
    assert "99% to 100%" in Read(made.html).text
    assert 'viewBox="0 0 63 1"' in made.html


def test_a_run_without_held_out_images_goes_on_beside_one_with_them(sources, data):
    program = sources["learned.ffl"]
    [run] = program.provenance["learned"]
    more = {**run, "log": [{**run["log"][0], "held_out_accuracy": 0.625, "online_accuracy": None}]}
    made = page({"l.ffl": replace(program, provenance={**program.provenance, "learned": [run, more]})}, data)
    assert Read(made.html).text.count("62.50%") == 2  # the point's title, and the table
    assert [entry.get("held_out_accuracy") for entry in made.facts["models"]["l.ffl"]["log"]] == [None, 0.625]


def test_the_same_models_give_the_same_bytes(sources, data):
    few = {name: sources[name] for name in ("m.pt", "graded.ffl", "learned.ffl")}
    assert page(few, data).html == page(few, data).html


def test_what_cannot_be_reported_is_refused(sources, data):
    with pytest.raises(DataError, match=r"m\.pt: labels of digits reach 12, the model has 10 classes"):
        page({"m.pt": sources["m.pt"]}, replace(data, labels=data.labels + 3))
    wide = replace(data, images=np.zeros((40, 100), np.uint8))
    with pytest.raises(DataError, match="64"):
        page({"graded.ffl": sources["graded.ffl"]}, wide)
    spec = sources["m.pt"].spec.model_copy(update={"neuron": object()})
    with pytest.raises(CompileError, match=r"its neurons spike, and have no float net"):
        page({"m.pt": replace(sources["m.pt"], spec=spec)}, data)


def test_the_command_finds_the_float_net_beside_its_artifact(ff2loihi, refused, networks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train("ffa-symmetric", load_data("digits", "train", limit=200), epochs=2, widths=(12,)).save(tmp_path / "t.pt")
    api.save(api.compile(tmp_path / "t.pt", "digits:60", Options(neuron="lif", steps=4)), tmp_path / "t.ffl")
    shutil.copy(networks["learned.ffl"], tmp_path / "l.ffl")
    code, out, err = ff2loihi("report", "t.ffl", "l.ffl", "--samples", 60, "-o", "r.html", "--json", "r.json")
    assert (code, err) == (0, "")
    assert "r.html" in out
    found = json.loads((tmp_path / "r.json").read_text())
    assert list(found["models"]) == ["t.pt", "t.ffl", "l.ffl"]
    assert 0.1 < found["models"]["t.ffl"]["same_as_float"] <= 1
    assert found["models"]["l.ffl"]["same_as_float"] is None
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "ff2loihi report t.ffl l.ffl --samples 60 -o r.html" in Read(text).text
    assert ff2loihi("report", "t.ffl", "--samples", 20, "-o", "r.html")[0] == 0  # its own kind is replaced
    (tmp_path / "other.html").write_text("<!doctype html>\n<p>mine")
    assert "not overwritten" in refused("report", "t.ffl", "-o", "other.html")[1]
    assert "would replace the input" in refused("report", "t.ffl", "-o", "t.ffl")[1]
    assert "given twice" in refused("report", "t.ffl", "t.ffl")[1]
    assert "Name one" in refused("report", "t.ffl", "-o", "-")[1]
    train("ffa-symmetric", load_data("digits", "train", limit=200), epochs=3, widths=(12,)).save(tmp_path / "t.pt")
    assert ff2loihi("report", "t.ffl", "--samples", 20, "-o", "r.html", "--json", "r.json")[0] == 0
    assert list(json.loads((tmp_path / "r.json").read_text())["models"]) == ["t.ffl"]  # another checkpoint by now


def test_models_of_different_data_sets_are_refused(refused, networks, tmp_path):
    program = api.load(networks["graded.ffl"])
    facts = {**program.provenance, "calibration": {**program.provenance["calibration"], "data": "mnist"}}
    api.save(replace(program, provenance=facts), tmp_path / "other.ffl")
    line = refused("report", networks["on.ffl"], tmp_path / "other.ffl", "-o", tmp_path / "r.html")[1]
    assert "models of different data sets: digits of" in line
    assert "Use --data NAME" in line


def test_its_commands_make_the_models_again(ff2loihi, tmp_path, monkeypatch):
    (tmp_path / "first").mkdir()
    monkeypatch.chdir(tmp_path / "first")
    for line in (
        "train --recipe ff-mlp --widths 14-10 --epochs 2 --head --bias --seed 3 -o h.pt",
        "compile h.pt --weight-bits 5 --calibrate digits:50 -o h.ffl",
        "train --widths 12 --epochs 0 --field 5 -o u.pt",
        "compile u.pt --learning on --trace li --calibrate digits:50 -o on.ffl",
        "learn on.ffl --epochs 2 --limit 60 --jitter 1 --seed 4 -o l.ffl",
        "learn l.ffl --single --limit 30 -o ll.ffl",
    ):
        assert ff2loihi(*line.split())[0] == 0
    sources = {"h.pt": pipeline.load_checkpoint(tmp_path / "first" / "h.pt")}
    sources |= {name: api.load(name) for name in ("h.ffl", "ll.ffl")}
    sources = {"u.pt": pipeline.load_checkpoint(tmp_path / "first" / "u.pt"), **sources}
    lines = [line for name, source in sources.items() for line in redo.commands(name, source)]
    assert len(lines) == 6
    (tmp_path / "again").mkdir()
    monkeypatch.chdir(tmp_path / "again")
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "ff2loihi"
        assert ff2loihi(*words)[0] == 0, line
    for name in sources:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "first" / name).read_bytes(), name
