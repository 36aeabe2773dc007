"""Which layers the tensors of a file form, guessed from their names and shapes alone."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise, product

from ff2loihi.compilers.errors import CheckpointError, brief, shortened
from ff2loihi.processes.limits import MAX_CLASSES

Shapes = Mapping[str, tuple[int, ...]]

MEAN = ".running_mean"  # the end of a batch norm's key
SCALE, SHIFT = ".weight", ".bias"  # the ends of a LayerNorm's
IMAGES = {  # pixels -> (channels, side) of well-known images, the most frequent first
    784: (1, 28), 3072: (3, 32), 64: (1, 8), 1024: (1, 32), 256: (1, 16), 2352: (3, 28), 4096: (1, 64), 12288: (3, 64),
}  # fmt: skip
SIDES = {1: (28, 8, 32, 16, 64), 3: (32, 28, 64, 96, 224)}  # of images by their channels, the most frequent first
MOST = 110  # matrices and kernels that are looked at; a spec has 100 layers at most
KERNEL = 11  # sides of a convolution's kernel, at most
LABELS = 128  # label inputs beside the pixels, at most, that are believed without a tensor of codes
TEN, TRIED = 10, 6  # the most frequent number of label inputs; and how many numbers are tried above the first layer
CONVOLUTIONS = 6  # whose strides are tried
CLASSES = 62  # of the best-known data sets, at most
CELLS = 8  # along the side of a channel whose pooled goodness is read, at most
ASIDE = re.compile(
    r"(^|[._])(optim\w*|scheduler\w*|exp_avg\w*|momentum\w*|teacher\w*)([._]|$)"
    r"|(^|[.])(ema|best|swa)(_(model|state\w*|net))?([.]|$)"
)
CODES = re.compile(r"(^|[._])(label\w*|codes?|embed\w*)([._]|$)", re.IGNORECASE)
BESIDE = re.compile(r"skip|short_?cut|resid|recur|lateral|feed_?back|top_?down|(^|[._])(rec|fb|lat)([._]|$)", re.I)
HEAD = re.compile(r"head|classif|read_?out|softmax|logit|probe|(^|[._])(out|output|final|cls)([._]|$)", re.IGNORECASE)
BIASES = (("weights", "biases"), ("weight", "bias"), ("kernel", "bias"), ("W", "b"), ("w", "b"))  # of one layer


@dataclass(frozen=True)
class Part:
    """A layer. shape: as torch keeps it, (out, in) or (out, in / groups, k, k); turned: the file has (in, out).

    label, label_bias: the keys of the label's own matrix and its biases.
    """

    weight: str
    shape: tuple[int, ...]
    turned: bool = False
    bias: str | None = None
    norm: str | None = None  # the first part of a batch norm's keys
    norm_below: bool = False  # whether that is of what comes in
    label: str | None = None
    label_bias: str | None = None

    @property
    def dense(self) -> bool:
        return len(self.shape) == 2

    @property
    def padding(self) -> int:
        """Of a convolution that leaves an image as it is."""
        return min(self.shape[2:]) // 2


@dataclass(frozen=True)
class Head:
    """A linear classifier: one matrix a layer, or one over several. certain: whether the shapes name its layers;
    turned: whether the file has (n, classes); by_size: whether nothing but its few rows says that it is one; grid: of
    convolutions, a matrix each, the cells along a channel's side that it reads, None where it reads activities."""

    weights: tuple[str, ...]
    classes: int
    biases: tuple[str, ...]
    layers: tuple[int, ...]
    certain: bool = True
    turned: bool = False
    by_size: bool = False
    grid: int | None = None


@dataclass(frozen=True)
class Guess:
    """parts: the layers, from the image upwards; codes: a tensor of label codes; rest: what has no place; labels: label
    inputs that stand beside what comes into each layer above the first, or have a matrix of their own at each;
    layer_norms: what of the rest looks like a LayerNorm, the first part of its keys."""

    parts: tuple[Part, ...]
    head: Head | None
    codes: str | None
    rest: tuple[str, ...]
    labels: int = 0
    layer_norms: tuple[str, ...] = ()

    @property
    def beside(self) -> bool:
        """Whether they stand in the weights of the layers above the first."""
        return self.labels > 0 and self.parts[-1].label is None


def guess(source: str, shapes: Shapes) -> Guess:
    """Raises CheckpointError, naming the source, where no tensor has the shape of a layer."""
    left = {name: shape for name, shape in shapes.items() if shape and 0 not in shape}
    whole, left = left, _one_copy({name: shape for name, shape in left.items() if not ASIDE.search(name)} or left)
    copies = [name for name, shape in whole.items() if name not in left and len(shape) > 1 and not ASIDE.search(name)]
    norms = [name.removesuffix(MEAN) for name in left if name.endswith(MEAN)]
    own = {f"{norm}.{part}" for norm in norms for part in ("weight", "bias", "running_mean", "running_var")}
    left = {name: shape for name, shape in left.items() if name not in own}
    weights = {name: shape for name, shape in left.items() if len(shape) in (2, 4)}
    weights = dict(list(weights.items())[:MOST])
    for name, shape in weights.items():
        if len(shape) == 4 and shape[0] == shape[1] <= KERNEL and shape[2] != shape[3]:
            raise CheckpointError(
                f"{source}: tensor {shortened(name)} {shape} has the axes of Keras or JAX, (rows, columns, in, out). "
                "Save it as torch has it: transpose(3, 2, 0, 1)"
            )
    parts, head, codes, of_labels = _with_projections(weights)
    if not parts:
        held = brief(", ".join(f"{shortened(name)} {shape}" for name, shape in list(shapes.items())[:8]), 250)
        raise CheckpointError(
            f"{source}: no tensor has the shape of a layer, (out, in) or (out, in, k, k). It holds: {held}"
        )
    vectors = {name: shape[0] for name, shape in left.items() if len(shape) == 1}
    parts = [_with_bias(part, vectors, list(left)) for part in parts]
    labels = parts[1].shape[1] - parts[0].shape[0] if len(parts) > 1 and parts[0].dense else 0
    for index, name in enumerate(of_labels):
        n = parts[index].shape[0]
        labels = sum(weights[name]) - n
        bias = _with_bias(Part(name, (n, labels)), vectors, list(left)).bias
        parts[index] = replace(parts[index], label=name, label_bias=bias)
    if head:
        own = [_with_bias(Part(name, (head.classes, 1)), vectors, list(left)).bias for name in head.weights]
        common = [name for name in vectors if HEAD.search(name) and vectors[name] == head.classes]
        head = replace(head, biases=tuple(name for name in own if name) or tuple(common[:1]))
    parts = _with_norms(parts, norms, shapes)
    used = {name for part in parts for name in (part.weight, part.bias, part.label, part.label_bias, codes) if name}
    used |= {*head.weights, *head.biases} if head else set()
    rest = {name: shape for name, shape in left.items() if name not in used}
    widths = {shape for part in parts if part.dense for shape in (part.shape[:1], part.shape[1:])}
    layer_norms = tuple(name.removesuffix(SCALE) for name in rest if _is_layer_norm(name, rest, widths))
    lost = (norm + MEAN for norm in norms if norm not in {part.norm for part in parts})
    return Guess(tuple(parts), head, codes, (*rest, *lost, *copies), labels, layer_norms)


def _is_layer_norm(name: str, rest: Shapes, widths: set[tuple[int, ...]]) -> bool:
    """Whether it is a weight, with a bias of its own, of one value for each neuron or input of a dense layer."""
    if not name.endswith(SCALE) or rest[name] not in widths:
        return False
    return rest.get(name.removesuffix(SCALE) + SHIFT) == rest[name]


def _one_copy(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """Without the second of two nets that have the same tensors, as {"model": ..., "initial": ...}."""
    nets: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        first, _, rest = name.partition(".")
        nets.setdefault(first, {})[rest] = shape
    seen, dropped = set(), set()
    for first, net in nets.items():
        if sum(len(shape) > 1 for shape in net.values()) > 1 and not first.isdecimal():
            tensors = frozenset(net.items())
            dropped |= {first} if tensors in seen else set()
            seen.add(tensors)
    return {name: shape for name, shape in shapes.items() if name.partition(".")[0] not in dropped}


# The chain: out of one is in of the next.


def _chain(shapes: Shapes) -> list[Part]:
    """The longest chain; where a longer one has as many label inputs besides in each dense layer above the first, or
    where one as long turns only some of its matrices, the one with label inputs."""
    chain = _chain_of(shapes)
    mixed = len({part.turned for part in chain if part.shape[0] != part.shape[1]}) > 1
    dense = [shape for shape in shapes.values() if len(shape) == 2]
    rows = {part[1] - below[0] for below, part in pairwise(dense)}
    columns = {part[0] - below[1] for below, part in pairwise(dense)}
    alike = {n for more in (rows, columns) if len(more) == 1 for n in more}  # in all layers
    beside = {side - pixels for shape in dense for side in shape for pixels in IMAGES}
    for labels in [n for n in sorted(alike | beside | {TEN}) if 1 < n <= LABELS][:TRIED]:
        labelled = _chain_of(shapes, labels)
        inputs = labelled[0].shape[1] if labelled else 0
        enters = {inputs, inputs - labels} & set(IMAGES) or (labels in alike and inputs > labels)
        if enters and len(labelled) > max(1, len(chain) - mixed):
            chain, mixed = labelled, False
    return chain


def _chain_of(shapes: Shapes, labels: int = 0) -> list[Part]:
    """The longest chain: in the file's order, in that of the names, or whichever tensor fits next; labels: inputs that
    each dense layer above another has besides."""
    names = sorted(shapes, key=lambda name: (-len(shapes[name]), natural(name)))
    orders = [[*_parts(order, shapes)] for order in (list(shapes), names)]
    chains = [_longest(parts, labels) for parts in orders] + [_followed([part for _, part in orders[1]], labels)]
    chain = max(chains, key=len)
    turned = {part.turned for part in chain if part.dense and part.shape[0] != part.shape[1]}
    return [replace(part, turned=part.turned or (part.dense and turned == {True})) for part in chain]


def natural(name: str) -> list[tuple[int, str]]:
    """layers.10 comes after layers.2."""
    return [(int(part[:18]), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _parts(order: Sequence[str], shapes: Shapes) -> Iterator[tuple[int, Part]]:
    """Each tensor with its place, a matrix both ways."""
    for index, name in enumerate(order):
        shape = shapes[name]
        yield index, Part(name, shape)
        if len(shape) == 2 and shape[0] != shape[1]:
            yield index, Part(name, (shape[1], shape[0]), turned=True)


def _followed(parts: list[Part], labels: int) -> list[Part]:
    """From what an image enters best, the first that fits the one before."""
    chain = [max(parts, key=_image_like)] if parts else []
    while True:
        used = {part.weight for part in chain}
        fitting = [part for part in parts if part.weight not in used and _fits(chain[-1], part, labels)]
        if not fitting:
            return chain
        chain.append(fitting[0])


def _longest(parts: list[tuple[int, Part]], labels: int) -> list[Part]:
    """By length; then whose inputs are an image's; then the fewest that are turned otherwise than the one below."""
    best: list[tuple[tuple[int, int, int], int | None]] = []
    for index, (place, part) in enumerate(parts):
        found = (1, _image_like(part), -part.turned), None
        for below in range(index):
            if parts[below][0] < place and _fits(parts[below][1], part, labels):
                length, image, turns = best[below][0]
                turned = parts[below][1].turned != part.turned and part.dense and parts[below][1].dense
                found = max(found, ((length + 1, image, turns - turned), below), key=lambda one: one[0])
        best.append(found)
    chain, at = [], max(range(len(best)), key=lambda one: best[one][0], default=None)
    while at is not None:
        chain.append(parts[at][1])
        at = best[at][1]
    return chain[::-1]


def _fits(below: Part, part: Part, labels: int) -> bool:
    out, taken = below.shape[0], part.shape[1]
    if not part.dense:
        return not below.dense and out % taken == 0 and part.shape[0] % (out // taken) == 0
    return taken == out + labels if below.dense else taken % out == 0


def _image_like(part: Part) -> int:
    """3 for the inputs of a well-known image, 2 with ten or 100 label inputs beside, 1 for more inputs than neurons."""
    inputs = part.shape[1]
    if not part.dense:
        return 3 if inputs in SIDES else 0
    if inputs in IMAGES:
        return 3
    if inputs - 10 in IMAGES or inputs - 100 in IMAGES:
        return 2
    return int(inputs > part.shape[0])


# What stands beside the chain


def _with_projections(weights: Shapes) -> tuple[list[Part], Head | None, str | None, list[str]]:
    """Layers, classifier, label codes, and the label's own matrix of each layer, in their order, if all have one."""
    named = [name for name, shape in weights.items() if len(shape) == 2 and CODES.search(name)]
    common = set.intersection(*(set(weights[name]) for name in named)) if len(named) > 1 else set()
    if any(2 <= side <= LABELS for side in common):
        parts, head, codes = _with_codes({name: shape for name, shape in weights.items() if name not in named})
        if len(parts) == len(named):
            own = sorted(named, key=natural)
            if all(part.dense and part.shape[0] in weights[name] for part, name in zip(parts, own, strict=True)):
                return parts, head, codes, own
    return *_with_codes(weights), []


def _with_codes(weights: Shapes) -> tuple[list[Part], Head | None, str | None]:
    """Layers, classifier and label codes."""
    matrices = [name for name, shape in weights.items() if len(shape) == 2]
    fitting = (name for name in matrices if CODES.search(name) and 2 <= weights[name][0] <= MAX_CLASSES)
    codes = next(fitting, None) if len(weights) > 1 else None
    left = {name: shape for name, shape in weights.items() if name != codes}
    parts, head = _layers_and_head(left, [name for name in matrices if HEAD.search(name) and name != codes], codes)
    return parts, head, codes


def _layers_and_head(weights: Shapes, named: list[str], codes: str | None) -> tuple[list[Part], Head | None]:
    """The chain without the classifier on top, and that; named: matrices that are called like one."""
    parts = _chain({name: shape for name, shape in weights.items() if name not in named})
    head = _either_way(parts, {name: weights[name] for name in named}) if named and parts else None
    if head:
        return parts, head
    parts = _chain(weights)
    if codes or not parts:
        return parts, None
    used = {part.weight for part in parts}
    for name, shape in weights.items():
        head = _either_way(parts, {name: shape}) if len(shape) == 2 and name not in used else None
        if head and len(head.layers) > 1 and head.classes <= CLASSES:
            return parts, head
    last = parts[-1]
    few = last.shape[0] == 10 or (2 <= last.shape[0] <= CLASSES and 4 * last.shape[0] <= last.shape[1])
    if len(parts) > 1 and last.dense and few:
        head = Head((last.weight,), last.shape[0], (), (len(parts) - 2,), turned=last.turned, by_size=True)
        return parts[:-1], head
    return parts, None


def _either_way(parts: list[Part], weights: Shapes) -> Head | None:
    """The classifier that matrices (classes, n), or all of them (n, classes), form."""
    found = _head(parts, weights)
    turned = None if found else _head(parts, {name: shape[::-1] for name, shape in weights.items()})
    return found or (replace(turned, turned=True) if turned else None)


def _head(parts: list[Part], weights: Shapes) -> Head | None:
    """The classifier that these matrices form: each over one layer, or the only one over several."""
    widths = [part.shape[0] for part in parts]
    names, shapes = tuple(weights), list(weights.values())
    classes = shapes[0][0]
    taken = [shape[1] for shape in shapes]
    if any(shape[0] != classes for shape in shapes) or not 2 <= classes <= MAX_CLASSES:
        return None
    if len(names) == 1:
        below = [0, *accumulate(widths)]
        runs = [run for run in _runs(len(parts)) if taken[0] == below[run[1]] - below[run[0]]]
        if runs:
            return Head(names, classes, (), tuple(range(*runs[0])), len(set(runs)) == 1)
        flat = not parts[-1].dense and taken[0] % widths[-1] == 0
        return Head(names, classes, (), (len(parts) - 1,)) if flat else None
    numbers = [[int(part) for part in name.split(".") if part.isdecimal()][:1] for name in names]
    by_name = tuple(number[0] for number in numbers if number)
    fitting = [
        tuple(range(first, first + len(names)))
        for first in range(len(parts) - len(names), -1, -1)
        if widths[first : first + len(names)] == taken
    ]
    cells = _of_cells(parts[len(parts) - len(names) :], taken)
    if cells:
        return Head(names, classes, (), tuple(range(len(parts) - len(names), len(parts))), grid=cells)
    fits = len(by_name) == len(names) and max(by_name) < len(parts) and [widths[at] for at in by_name] == taken
    if fits and by_name[0] > 0:
        return Head(names, classes, (), by_name)
    return Head(names, classes, (), fitting[0], len(fitting) == 1) if fitting else None


def _of_cells(parts: list[Part], taken: list[int]) -> int | None:
    """Into how many cells along each side the channels of convolutions are cut, where matrices of so many columns each
    read one value a cell."""
    if any(part.dense for part in parts) or len(parts) != len(taken):
        return None
    return next((n for n in range(1, CELLS + 1) if [part.shape[0] * n * n for part in parts] == taken), None)


def _runs(count: int) -> Iterator[tuple[int, int]]:
    """The first layer, and the end, of what a single matrix may be over, the likeliest first: the last, all, all but
    the first, any run."""
    yield count - 1, count
    yield from ((first, count) for first in range(count))
    yield from ((first, end) for first in range(count) for end in range(first + 1, count))


def _with_bias(part: Part, vectors: Mapping[str, int], order: list[str]) -> Part:
    """The bias whose name goes with the weight's, or which stands right behind it under a number."""
    above, _, last = part.weight.rpartition(".")
    for weight, bias in BIASES:
        name = f"{above}.{last.replace(weight, bias)}" if above else last.replace(weight, bias)
        if weight in last and vectors.get(name) == part.shape[0]:
            return replace(part, bias=name)
    behind = order[order.index(part.weight) + 1 :][:1] if re.fullmatch(r"(arr_)?\d+", last) else []
    if behind and vectors.get(behind[0]) == part.shape[0]:
        return replace(part, bias=behind[0])
    return part


def _with_norms(parts: list[Part], norms: list[str], shapes: Shapes) -> list[Part]:
    """Each batch norm at the layer of as many channels whose name is the nearest, or behind which the file has it."""
    place = {name: index for index, name in enumerate(shapes)}
    found = list(parts)
    for norm in norms:
        free = [at for at, part in enumerate(found) if part.norm is None and shapes[norm + MEAN] == part.shape[:1]]
        if not free:
            continue
        before = [at for at in free if place[found[at].weight] < place[norm + MEAN]]
        listed = all(place[part.weight] < place[norm + MEAN] for part in parts)  # all norms stand behind all weights
        likely = free[0] if listed or not before else before[-1]
        at = max(free, key=lambda at: (_alike(found[at].weight, norm), at == likely))
        found[at] = replace(found[at], norm=norm)
    used = {part.norm for part in found}
    first = next((norm for norm in norms if norm not in used and shapes[norm + MEAN] == parts[0].shape[1:2]), None)
    return [replace(found[0], norm=first, norm_below=True), *found[1:]] if first and not found[0].norm else found


def _alike(weight: str, norm: str) -> int:
    """How many words and numbers the names of a layer and of a batch norm share."""
    return len(set(re.findall(r"[a-z]+|\d+", weight.lower())) & set(re.findall(r"[a-z]+|\d+", norm.lower())))


# The image below


@dataclass(frozen=True)
class Geometry:
    """Convolutions over an image; padded: by half their kernels; shrunk: which of them halve it, by a pool behind them,
    or by their stride; whole: whether the last one's channels are averaged as a whole."""

    side: int
    padded: bool
    pool: bool
    shrunk: tuple[bool, ...]
    whole: bool = False


def geometries(parts: Sequence[Part], inputs: int | None) -> list[Geometry]:
    """Those with which the convolutions leave as many values as `inputs`, the likeliest first; unknown where None."""
    kernels = [part for part in parts if not part.dense]
    sides = SIDES.get(kernels[0].shape[1], SIDES[3])
    none = (False,) * len(kernels)
    if inputs in (None, kernels[-1].shape[0]) or len(kernels) > CONVOLUTIONS:
        return [Geometry(side, True, False, none, whole=inputs is not None) for side in sides]
    several = sorted(product((True, False), repeat=len(kernels)), key=lambda one: (len({*one}), -sum(one)))
    forms = [Geometry(*form) for form in product(sides, (True, False), (True, False), several)]
    fitting = [form for form in forms if _values(form, kernels) == inputs and (any(form.shrunk) or not form.pool)]
    return fitting or geometries(parts, None)


def _values(form: Geometry, kernels: Sequence[Part]) -> int:
    """How many values leave the last convolution; 0 where none are left."""
    left = form.side
    for part, halved in zip(kernels, form.shrunk, strict=True):
        padding = part.padding if form.padded else 0
        stride = 2 if halved and not form.pool else 1
        left = (left + 2 * padding - part.shape[2]) // stride + 1
        left = left // 2 if halved and form.pool else left
        if left < 1:
            return 0
    return left * left * kernels[-1].shape[0]
