"""A commented spec.yaml for tensors of which nobody has said what they mean: what their names and shapes tell, and
questions about what they do not."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import yaml

from ff2loihi.compilers.errors import brief, together
from ff2loihi.compilers.frontend.guess import (
    BESIDE,
    IMAGES,
    LABELS,
    Geometry,
    Guess,
    Head,
    Part,
    Shapes,
    geometries,
    guess,
)

CLASSES = 10  # where nothing tells
FEW_ROWS = 62  # of a graph's last matrix that is a classifier: as many as the best-known data sets have classes
BITS = 100  # of label codes that are no one-hot ones (Lee and Song 2023)
SHOWN = 6  # ways in which convolutions may lie over an image


@dataclass(frozen=True)
class Choice:
    """A value that a key may have, as YAML, and what it means."""

    value: str
    means: str


@dataclass(frozen=True)
class Question:
    """What names and shapes do not tell. key: where the answer stands in the spec; the first choice is assumed."""

    key: str
    asks: str
    choices: tuple[Choice, ...]


Ask = Callable[[Question], Choice]


def assume(question: Question) -> Choice:
    """The answer of nobody."""
    return question.choices[0]


@dataclass(frozen=True)
class Draft:
    """text: the spec.yaml; questions: those whose answers it took; missing: what it lacks before it compiles; unplaced:
    tensors that it does not use; layer_norms: what of these looks like a LayerNorm, the first part of its keys."""

    text: str
    questions: tuple[Question, ...]
    missing: tuple[str, ...]
    unplaced: tuple[str, ...]
    layer_norms: tuple[str, ...] = ()

    @property
    def values(self) -> dict:
        """What the text says."""
        return yaml.safe_load(self.text)


@dataclass(frozen=True)
class Form:
    """How well-known code trains a net that looks like this. like: whose; standard: whether it standardises pixels;
    norm: by what it divides the input; activities: what a classifier sees; all as spec.yaml has them."""

    like: str
    standard: bool
    norm: str
    normalization: str
    goodness: str = "sum_squares"
    probability: str = "{kind: contrast}"
    activities: str = "l2"


OURS = Form("ff2loihi train", False, "none", "l2")
LABELLED = Form(
    "a net whose layers all see the label", False, "none", "l2", "mean_squares", "{kind: sigmoid, theta: 2}"
)
COMMON = Form("mpezeshki/pytorch_forward_forward", True, "l2", "l2", "mean_squares", "{kind: sigmoid, theta: 2}")
CONCATENATED = Form("loeweX/Forward-Forward", False, "rms", "rms", activities="rms")
CLASSIFIER = Form("a net trained by backprop", True, "none", "none", activities="raw")
POOLED = Form("a classifier of pooled goodness (Gong 2025)", False, "none", "none", "rms")
SPIKING = Form("a net that learns on the chip", False, "none", "none", probability="{kind: symmetric}")
CHANNELS = Form("channel-wise competition (Papachristodoulou 2024)", False, "none", "rms", "mean_squares")

# As most code has them, for images of other sets, too: mean, std, and whose they are.
GREY = (("0.1307", "0.3081", "as MNIST"), ("0.286", "0.353", "as Fashion-MNIST"), ("0.5", "0.5", "to -1..1"))
COLOUR = (("0.5", "0.5", "to -1..1"), ("[0.4914, 0.4822, 0.4465]", "[0.247, 0.2435, 0.2616]", "as CIFAR-10"))
NORMS = {
    "none": "as it is", "l2": "divided by its l2 norm", "rms": "divided by the root of its mean square",
    "l1": "divided by its l1 norm",
}  # fmt: skip
GOODNESS = {
    "sum_squares": "the sum of a layer's squares", "mean_squares": "the mean of a layer's squares",
    "l2": "a layer's l2 norm", "rms": "the root of the mean of a layer's squares", "l1": "a layer's l1 norm",
}  # fmt: skip
CHANCES = {
    "{kind: contrast}": "log(1 + exp(Gneg - Gpos)); matters to learning on the chip alone",
    "{kind: sigmoid, theta: 2}": "of alpha (G - theta): give both; matters to learning on the chip alone",
    "{kind: symmetric}": "G+ against G-: polarity: half in each layer makes the first half of its neurons positive",
}
TRACES = {
    "relu": "their count", "li": "one that decays, trace_decay: 0.85", "hard-li": "1 at a spike, and decays",
}  # fmt: skip
SEEN = {
    "raw": "the activities as they are", "l2": "each layer's divided by their l2 norm",
    "rms": "each layer's divided by the root of their mean square",
}  # fmt: skip


@dataclass
class _Writer:
    ask: Ask
    lines: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def assumed(self) -> str:
        return "assumed: " if self.ask is assume else ""

    def say(self, line: str, comment: str = "") -> None:
        self.lines.append(f"{line}  # {comment}" if comment else line)

    def lack(self, text: str) -> None:
        """Something without which the draft does not compile."""
        self.missing.append(text)
        self.say(f"# TO FILL IN: {text}")

    def choose(self, key: str, asks: str, choices: Iterable[Choice]) -> Choice:
        """The answer to a question; to a single choice there is none."""
        question = Question(key, asks, tuple(choices))
        if len(question.choices) == 1:
            return question.choices[0]
        self.questions.append(question)
        return self.ask(question)

    def options(self, name: str, answer: Choice, choices: Iterable[Choice]) -> None:
        """The line of a key with the answer, and below it the others as comments."""
        indent, others = name[: -len(name.lstrip())], [other for other in choices if other != answer]
        self.say(f"{name}: {answer.value}", (self.assumed if others else "") + answer.means)
        for other in others:
            self.say(f"{indent}# {name.lstrip()}: {other.value}", other.means)

    def line(self, key: str, asks: str, choices: Iterable[Choice], indent: str = "") -> str:
        """Ask, write, and return the value."""
        found = tuple(choices)
        answer = self.choose(key, asks, found)
        self.options(indent + key.rpartition(".")[2], answer, found)
        return answer.value


def draft(source: str, shapes: Shapes, ask: Ask = assume) -> Draft:
    """Raises CheckpointError where no tensor has the shape of a layer. source: whose tensors they are."""
    found, writer = guess(source, shapes), _Writer(ask)
    form = _form(found)
    writer.say(f"# Drafted from the names and shapes of the tensors of {_plain(source)}.")
    told = f"is assumed to be as in {form.like}" if writer.assumed else "was asked"
    writer.say(f"# What they do not tell {told}; other values stand below as comments.")
    writer.say("# All keys: docs/guides/foreign-checkpoints.md.")
    if found.rest:
        rest = (f"{_plain(name)} {shapes[name]}" for name in found.rest)
        writer.say(f"# Tensors without a place: {together(rest, 300)}")
    if found.layer_norms:
        writer.say(f"# {together(map(_plain, found.layer_norms), 100)}: like a LayerNorm, which is not compiled.")
    geometry = None
    if found.parts[0].dense:
        label = _dense_input(writer, found, form, shapes)
    else:
        geometry = _image(writer, found, shapes)
        pixels = found.parts[0].shape[1] * geometry.side**2
        _pixels_to_inputs(writer, form, pixels)
        label = writer.line("label", "How does a label enter?", _over_pixels(found, form))
    kind = yaml.safe_load(label)["kind"]
    cells = found.head is not None and found.head.grid is not None
    polarity = kind != "none" and _judged(writer, form, found.head is None or cells)
    if kind == "none" and cells:
        writer.line("goodness", "What is the goodness of a channel's cell?", _from(form.goodness, GOODNESS))
    writer.say("activation: relu", "no tensor tells it, and few others compile")
    beside = ("prepend" if kind == "prepend" else "append") if found.beside else None
    _layers(writer, found.parts, geometry, polarity, beside)
    if len(found.parts) > 1:
        _between(writer, form)
    _readout(writer, found, form, kind)
    text = "\n".join(writer.lines) + "\n"
    return Draft(text, tuple(writer.questions), tuple(writer.missing), found.rest, found.layer_norms)


@dataclass(frozen=True)
class Nodes:
    """What a NIR graph tells of its layers. shapes: of their tensors, in order, biases of 0 left out; shape: of what
    comes in; spikes: whether neurons stand behind them; timed: whether it says the length of a step."""

    shapes: Shapes
    shape: tuple[int, ...]
    spikes: bool
    timed: bool


def draft_nodes(source: str, nodes: Nodes, ask: Ask = assume) -> Draft:
    """The same for a graph, which says which layers there are, and how convolutions lie over the image."""
    writer, shapes = _Writer(ask), nodes.shapes
    biases = {name for name in shapes if len(shapes[name]) == 1}
    weights = [name for name in shapes if name not in biases]
    own = {name: f"{name.removesuffix('.weight')}.bias" for name in weights}
    parts = tuple(Part(name, shapes[name], bias=own[name] if own[name] in biases else None) for name in weights)
    parts, head = (parts, None) if nodes.spikes else _with_classifier(parts)
    found = Guess(parts, head, None, ())
    form = SPIKING if nodes.spikes else _form(found)
    writer.say(f"# Drafted from the nodes of {_plain(source)}.")
    told = f"is assumed to be as in {form.like}" if writer.assumed else "was asked"
    writer.say(f"# What they do not tell {told}; other values stand below as comments.")
    writer.say("# All keys: docs/guides/foreign-checkpoints.md and nir-and-netx.md.")
    if parts[0].dense:
        label = _dense_input(writer, found, form, shapes)
        if nodes.spikes and _pixels_beside_labels(parts[0].shape[1], None) == parts[0].shape[1]:
            writer.lack("pixels and label.classes: neurons that spike learn from label inputs behind the pixels")
    else:
        writer.say(f"pixels: {math.prod(nodes.shape)}", f"{' x '.join(map(str, nodes.shape))}, as the graph says")
        writer.say("# image, conv and pool are the graph's")
        _pixels_to_inputs(writer, form, math.prod(nodes.shape))
        label = writer.line("label", "How does a label enter?", _over_pixels(found, form))
    kind = yaml.safe_load(label)["kind"]
    polarity = kind != "none" and _judged(writer, form, head is None and not nodes.spikes)
    if nodes.spikes:
        _neurons(writer, nodes)
    else:
        writer.say("activation: relu", "no node tells it, and few others compile")
    _layers(writer, parts, None, polarity, None)
    if not nodes.spikes:
        if len(parts) > 1:
            _between(writer, form)
        _readout(writer, found, form, kind)
    return Draft("\n".join(writer.lines) + "\n", tuple(writer.questions), tuple(writer.missing), ())


def _with_classifier(parts: tuple[Part, ...]) -> tuple[tuple[Part, ...], Head | None]:
    """The last layer as a classifier of the one below it, where it has few rows."""
    *below, last = parts
    if not below or not last.dense or last.shape[0] > FEW_ROWS:
        return parts, None
    biases = (last.bias,) if last.bias else ()
    return tuple(below), Head((last.weight,), last.shape[0], biases, (len(below) - 1,), by_size=True)


def _neurons(writer: _Writer, nodes: Nodes) -> None:
    """What a graph does not say of its neurons."""
    writer.say("neuron:", "decay and threshold are the graph's")
    writer.say("  kind: lif")
    writer.say("  steps: 24", "of a presentation")
    writer.say("  rate: 0.25", "spikes of a white pixel in a step")
    writer.line("neuron.trace", "What trace of its spikes does a neuron learn with?", _from("relu", TRACES), "  ")
    if not nodes.timed:
        writer.lack("dt: 1e-3, the length of a step in the graph's time, here or with --dt")


def _form(found: Guess) -> Form:
    head, count = found.head, len(found.parts)
    ours = all(re.fullmatch(r"layers\.\d+\.weight", part.weight) for part in found.parts)
    if ours and found.codes == "codes":
        return OURS
    if head and head.grid:
        return POOLED
    if ours and head and head.biases == ("head.bias",):
        last = count > 1 and head.layers == (count - 1,)
        return replace(CLASSIFIER, like=OURS.like, standard=False) if last else replace(OURS, normalization="rms")
    if found.labels and head is None:
        return LABELLED
    if head is None and (found.parts[0].dense or found.parts[-1].shape[0] % CLASSES):
        return COMMON
    if head is None:  # batch norm is there in place of another normalisation
        return replace(CHANNELS, normalization="none") if any(part.norm for part in found.parts) else CHANNELS
    return CONCATENATED if len(head.layers) > 1 else CLASSIFIER


def _from(assumed: str, kinds: Mapping[str, str]) -> list[Choice]:
    """The kinds as choices, the assumed one first."""
    return [Choice(value, kinds[value]) for value in sorted(kinds, key=lambda kind: kind != assumed)]


def _plain(name: object) -> str:
    """A name in a comment."""
    return brief("".join(c if c.isprintable() else "?" for c in str(name)), 80)


def _text(name: str) -> str:
    """A name as a value of YAML."""
    if re.fullmatch(r"[A-Za-z_][\w./-]*", name, re.ASCII) and yaml.safe_load(name) == name:
        return name
    return yaml.safe_dump(name, default_style='"', width=1 << 20).strip()


def _flow(keys: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{key}: {value}' for key, value in keys.items())}}}"


# What enters


def _classes(found: Guess) -> int:
    if found.head:
        return found.head.classes
    return found.labels if found.labels not in (0, BITS) else CLASSES


def _dense_input(writer: _Writer, found: Guess, form: Form, shapes: Shapes) -> str:
    """pixels, image, input and label of a net whose first layer is dense; returns the label's value."""
    first, classes = found.parts[0], _classes(found)
    inputs = first.shape[1]
    options = _labels(found, form, inputs, shapes)
    asks = f"The first layer, {_plain(first.weight)}, has {inputs} inputs. How does a label enter?"
    label = writer.choose("label", asks, options)
    pixels = options[label]
    channels, side = IMAGES.get(pixels, (1, math.isqrt(pixels)))
    size = f"{side} x {side}{' in colour' if channels == 3 else ''}" if channels * side**2 == pixels else "image inputs"
    writer.say(f"pixels: {pixels}", f"{size}; {_plain(first.weight)} has {inputs} inputs")
    if channels > 1 and form is not OURS:
        writer.say(f"image: [{channels}, {side}, {side}]", "channel by channel, as PyTorch flattens images")
    if form is not SPIKING:
        _pixels_to_inputs(writer, form, pixels)
    writer.options("label", label, [_with_pixels(other, options[other], pixels) for other in options])
    beside = yaml.safe_load(label.value)["kind"] in ("append", "prepend")
    if beside and form not in (OURS, SPIKING):
        writer.say(f"# label: {label.value[:-1]}, value: 3}}", "where a 1 has the value 3")
    if "labels.npy" in label.value:
        writer.lack(f"labels.npy beside this file, the label codes as a ({classes}, {inputs - pixels}) array")
    return label.value


def _with_pixels(label: Choice, pixels: int, assumed: int) -> Choice:
    """The choice, which may leave other pixels than those that are assumed."""
    return label if pixels == assumed else replace(label, means=f"{label.means}; pixels: {pixels}")


def _pixels_to_inputs(writer: _Writer, form: Form, pixels: int) -> None:
    """The block `input`."""
    known = COLOUR if IMAGES.get(pixels, (1, 0))[0] == 3 else GREY
    choices = [Choice(f"{{mean: {mean}, std: {std}}}", whose) for mean, std, whose in known]
    plain = Choice("{mean: 0, std: 1}", "not at all")
    choices = [*choices, plain] if form.standard else [plain, *choices]
    answer = writer.choose("input", "How does the net's code standardise pixels of 0..1?", choices)
    writer.say("input:", f"{writer.assumed}standardised {answer.means}; (pixel - mean) / std")
    writer.lines += [f"  {line}" for line in answer.value[1:-1].replace(", std", "\nstd").splitlines()]
    for other in choices:
        if other != answer:
            writer.say(f"  # {other.value[1:-1]}", other.means)
    norms = {norm: text for norm, text in NORMS.items() if norm != "l1"}
    writer.line("input.norm", "How does the whole input enter the first layer?", _from(form.norm, norms), "  ")


def _over_pixels(found: Guess, form: Form) -> list[Choice]:
    """Labels that add no input, the likeliest first."""
    classes = _classes(found)
    over = f"over the first {classes} pixels{'' if found.head else ' (or as many as there are classes)'}, with"
    none = Choice(f"{{kind: none, classes: {classes}}}", "no label enters, the net sees the image alone")
    one = Choice(f"{{kind: overwrite, classes: {classes}}}", f"{over} the value 1")
    maximal = Choice(f"{{kind: overwrite, classes: {classes}, value: max}}", f"{over} a white pixel's value, x.max()")
    if form is COMMON:
        return [maximal, one]
    if found.labels:
        return [one, maximal]
    return [one, maximal, none] if form is CONCATENATED else [none, one, maximal]


def _labels(found: Guess, form: Form, inputs: int, shapes: Shapes) -> dict[Choice, int]:
    """How a label may enter a dense layer, with the pixels that are left, the likeliest first."""
    if form is SPIKING:
        n = inputs - _pixels_beside_labels(inputs, None) or min(CLASSES, inputs - 1)
        return {Choice(f"{{kind: append, classes: {n}}}", f"{n} label inputs behind {inputs - n} pixels"): inputs - n}
    if found.codes:
        classes, n = shapes[found.codes]
        codes = f"codes: {_text(f'key:{found.codes}')}, classes: {classes}"
        behind = Choice(f"{{kind: append, {codes}}}", f"the {n} values of a code stand behind the pixels")
        above = Choice(f"{{kind: overwrite, {codes}}}", f"the {n} values of a code lie over the first pixels")
        options = {pixels: choice for choice, pixels in ((above, inputs), (behind, inputs - n)) if pixels > 0}
        likely = sorted(options, key=_like_an_image, reverse=True)
        certain = _like_an_image(likely[0]) > _like_an_image(likely[-1])
        return {options[pixels]: pixels for pixels in (likely[:1] if certain else likely)}
    if found.labels and not found.beside:
        return {Choice(f"{{kind: append, classes: {found.labels}}}", "in a matrix of its own at each layer"): inputs}
    within = dict.fromkeys(_over_pixels(found, form), inputs)
    pixels = _pixels_beside_labels(inputs, _classes(found) if found.head else None)
    if found.labels:
        pixels = inputs if inputs in IMAGES else inputs - found.labels
    if pixels == inputs:
        return within
    n, classes = inputs - pixels, _classes(found)
    one_hot, codes = f"classes: {n}", f"codes: labels.npy, classes: {classes}"
    if found.head:
        kinds = [one_hot] if n == classes else [codes]
    else:
        kinds = [codes, one_hot] if n == BITS else [one_hot]
    beside = {
        Choice(f"{{kind: {place}, {kind}}}", f"{n} label inputs {where} {pixels} pixels"): pixels
        for kind in kinds for place, where in (("append", "behind"), ("prepend", "before"))
    }  # fmt: skip
    likely = found.labels or pixels in IMAGES or n in (CLASSES, BITS)
    return beside | within if likely else within | beside


def _like_an_image(pixels: int) -> int:
    """2 for a well-known image, 1 for a square one, grey or in colour."""
    grey = pixels // 3 if pixels % 3 == 0 else pixels
    return 2 if pixels in IMAGES else int(math.isqrt(pixels) ** 2 == pixels or math.isqrt(grey) ** 2 == grey)


def _pixels_beside_labels(inputs: int, classes: int | None) -> int:
    """How many of the inputs are pixels, where the others may be a label's; all where none are."""
    for n in [classes] if classes else [CLASSES, BITS]:
        if inputs - n in IMAGES:
            return inputs - n
    square = math.isqrt(max(inputs - 2, 0)) ** 2
    pixels = next((pixels for pixels in IMAGES if 2 <= inputs - pixels <= LABELS), square)
    return pixels if pixels > 1 and inputs - pixels <= LABELS and not _like_an_image(inputs) else inputs


def _image(writer: _Writer, found: Guess, shapes: Shapes) -> Geometry:
    """pixels and image of a net of convolutions, and how these lie over it."""
    kernels = [part for part in found.parts if not part.dense]
    above = found.parts[len(kernels)].shape[1] if len(kernels) < len(found.parts) else None
    if above is None and found.head and len(found.head.weights) == 1:
        above = shapes[found.head.weights[0]][0 if found.head.turned else 1]
    forms = geometries(kernels, above)
    choices = {Choice(f"{form.side} x {form.side}", _lying(form, len(kernels))): form for form in forms[:SHOWN]}
    asks = "How large are the images, and how do the convolutions lie over them? Their shapes do not tell"
    answer = writer.choose("image", asks, choices)
    form, channels = choices[answer], kernels[0].shape[1]
    writer.say(f"pixels: {channels * form.side**2}")
    writer.say(f"image: [{channels}, {form.side}, {form.side}]", "channels, height, width")
    writer.say(
        f"# Strides, paddings and pools, no dilation{' are assumed' if writer.ask is assume else ''}: {answer.means}"
    )
    for other in choices:
        if other != answer:
            writer.say(f"# or, {other.value}: {other.means}")
    return form


def _lying(form: Geometry, count: int) -> str:
    """A geometry in words."""
    halved = [str(index + 1) for index, shrunk in enumerate(form.shrunk) if shrunk]
    which = "each" if len(halved) == count else f"{' and '.join(halved)}"
    shrunk = f"pools of 2 x 2 behind {which}, max or average" if form.pool else f"stride 2 of {which}"
    padding = "padded by half a kernel" if form.padded else "not padded"
    whole = ", and an average pool over all of the last" if form.whole else ""
    return f"{padding}, {shrunk if halved else 'stride 1, no pools'}{whole}"


# What is made of it


def _judged(writer: _Writer, form: Form, by_goodness: bool) -> bool:
    """goodness and probability; returns whether half of the neurons are negative."""
    if by_goodness:
        writer.line("goodness", "What is the goodness of a layer?", _from(form.goodness, GOODNESS))
        writer.say("# top_k: 32", "where it is that of the 32 most active neurons alone")
    asks = "What is the probability of a layer that a sample is positive?"
    chances = _from(form.probability, CHANCES)
    if form is SPIKING:  # which learns of one sample at a time
        chances = [choice for choice in chances if "contrast" not in choice.value]
    return "symmetric" in writer.line("probability", asks, chances)


def _layers(
    writer: _Writer, parts: tuple[Part, ...], geometry: Geometry | None, polarity: bool, label: str | None
) -> None:
    """One line a layer; label: where it stands in the weights of those above the first."""
    place = "before_relu"
    if any(part.norm and not part.norm_below for part in parts):
        choices = [Choice(place, "behind the product"), Choice("after_relu", "behind the ReLU")]
        answer = writer.choose("batch_norm_place", "Where do the batch norms stand?", choices)
        [other] = [choice for choice in choices if choice != answer]
        place, said = answer.value, f"batch norms stand {answer.means}"
        writer.say(f"# {writer.assumed}{said}; or batch_norm_place: {other.value}, {other.means}")
    beside = [_plain(part.weight) for part in parts if BESIDE.search(part.weight)]
    if beside:
        writer.say(f"# {writer.assumed}in the chain of layers stands {together(beside)}. What goes beside it,")
        writer.say("# a skip or a recurrent connection, has no form here.")
    writer.say("layers:", "each takes what the one before it gives" if len(parts) > 1 else "")
    for index, part in enumerate(parts):
        keys = {"weight": _text(part.weight)}
        if part.turned:
            keys["orientation"] = "in_out"
        if geometry and not part.dense:
            halved = geometry.shrunk[index]
            conv = {
                "stride": 2 if halved and not geometry.pool else 1,
                "padding": part.padding if geometry.padded else 0,
                "groups": parts[index - 1].shape[0] // part.shape[1] if index else 1,
            }
            keys["conv"] = _flow({name: str(value) for name, value in conv.items()})
        if part.bias:
            keys["bias"] = _text(part.bias)
        if own := _text(part.label) if part.label else label if index else None:
            keys["label"] = own
        if part.label_bias:
            keys["label_bias"] = _text(part.label_bias)
        if part.norm:
            keys |= {"batch_norm": _text(part.norm), "batch_norm_place": "input" if part.norm_below else place}
        if geometry and not part.dense and geometry.pool and geometry.shrunk[index]:
            keys["pool"] = "{kind: max}"
        if geometry and geometry.whole and not part.dense and (index + 1 == len(parts) or parts[index + 1].dense):
            keys["pool"] = "{kind: average, size: global}"
        if polarity:
            keys["polarity"] = "half"
        size = f"{part.shape[1]} to {part.shape[0]}"
        kernel = "" if part.dense else f" channels, {part.shape[2]} x {part.shape[3]}"
        writer.say(f"  - {_flow(keys)}", size + kernel)


def _between(writer: _Writer, form: Form) -> None:
    """What stands between two layers."""
    asks = "How does a layer's output enter the next one? (A LayerNorm is none of these.)"
    writer.line("normalization", asks, _from(form.normalization, NORMS))
    writer.say("# F.layer_norm, which takes the mean off first, is none of these, and leaves no trace in a file.")


def _readout(writer: _Writer, found: Guess, form: Form, kind: str) -> None:
    """What the class is read from."""
    count = len(found.parts)
    if found.head:
        _head(writer, found.head, form, count)
    elif kind == "none":
        every = Choice("{kind: channels}", "the channels of each class, all layers")
        last = Choice(f"{{kind: channels, layers: [{count - 1}]}}", "the channels of each class, the last layer")
        writer.line("readout", "Which layers' channels are read?", [last, every] if count > 1 else [every])
    else:
        every = Choice("{kind: goodness}", "of all layers, summed")
        upper = Choice(f"{{kind: goodness, layers: {list(range(1, count))}}}", "of all layers but the first")
        softmax = Choice("{kind: softmax}", "of each layer's goodness over the labels, summed")
        vote = Choice("{kind: vote}", "of each layer, for the label that it calls best")
        writer.line("readout", "Which goodness is read?", [every, upper, softmax, vote] if count > 1 else [every])


def _head(writer: _Writer, head: Head, form: Form, count: int) -> None:
    """The read-out of a linear classifier, over some of so many layers."""
    writer.say("readout:")
    if head.by_size:
        name = _plain(head.weights[0])
        writer.say(f"  # {writer.assumed}{name}, last and with few rows, is a classifier. Were it a layer, it")
        writer.say("  # would stand in layers, a label would enter, and this would be readout: {kind: goodness}.")
    kind, of = ("head", "") if head.grid is None else ("pooled", ", of the goodness of each channel's cells")
    writer.say(f"  kind: {kind}", f"a linear classifier of {head.classes} classes{of}")
    starts = range(count - len(head.layers) + 1) if not head.certain else ()
    layers = dict.fromkeys([head.layers, *(tuple(range(start, start + len(head.layers))) for start in starts)])
    choices = [Choice(str(list(each)), "counted from 0, by their widths") for each in layers]
    writer.line("readout.layers", "Which layers does the classifier see?", choices, "  ")
    writer.say("  head:")
    writer.say(f"    weights: [{', '.join(map(_text, head.weights))}]")
    if head.turned:
        names = together(map(_plain, head.weights))
        writer.lack(f"a classifier's weights have the classes first: save the transpose of {names} by that name")
    if head.biases:
        names = ", ".join(map(_text, head.biases))
        writer.say(f"    bias: {f'[{names}]' if len(head.biases) > 1 else names}")
    if head.grid is not None:
        writer.say(f"    grid: {head.grid}", "cells along each side")
        return
    writer.line("readout.head.activities", "What does the classifier see?", _from(form.activities, SEEN), "    ")
