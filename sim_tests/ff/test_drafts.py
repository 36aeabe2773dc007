"""A recipe's tensors without our spec: the draft is the right one, or asks with the right answer among the choices."""

import pytest
import torch
import yaml

from ff2loihi.compilers.frontend import network
from ff2loihi.compilers.frontend.checkpoint import live_checkpoint
from ff2loihi.compilers.frontend.draft import Choice, Draft, Question, draft
from ff2loihi.compilers.frontend.spec import Spec, parse_spec
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import RECIPES, train

WIDTHS = {"ffa": (12,), "random": (12,), "rbm": (12,), "cwc-ff": (10, 20, 20, 10)}
CHANGES = {"plain": {}, "head": {"head": True}, "bias": {"bias": True}}
NETS = [  # a draft is of images: no name or shape says that spikes stand for them
    (recipe, change)
    for recipe in RECIPES
    for change, given in CHANGES.items()
    if set(given) <= RECIPES[recipe].choices and "events" not in RECIPES[recipe].choices
]


@pytest.fixture(scope="module")
def images():
    return load_data("digits", "train", limit=60)


def choices(made: Draft, key: str) -> list:
    """The values that a question about the key offers; none where it is not asked."""
    asked = [question for question in made.questions if question.key == key]
    return [yaml.safe_load(choice.value) for question in asked for choice in question.choices]


def shapes(tensors: dict) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def differences(found: Spec, truth: Spec, made: Draft) -> list[str]:
    """What the draft says wrongly without asking."""
    asks_image, said = bool(choices(made, "image")), []

    def compare(name: str, mine: object, right: object, offered: list) -> None:
        if mine != right and right not in offered:
            said.append(f"{name}: {mine!r} is {right!r}, and {offered} are offered")

    compare("pixels", found.pixels, truth.pixels, [truth.pixels] if asks_image else [])
    label = truth.label.model_dump(include={"kind", "codes", "classes"})
    offered = [Spec.model_fields["label"].annotation(**choice) for choice in choices(made, "label")]
    compare("label", found.label, truth.label, offered)
    symmetric = {"kind": "symmetric"} in choices(made, "probability")
    for index, (mine, right) in enumerate(zip(found.layers, truth.layers, strict=True)):
        name = f"layers.{index}"
        for key in ("weight", "orientation", "bias", "batch_norm", "batch_norm_eps"):
            compare(f"{name}.{key}", getattr(mine, key), getattr(right, key), [])
        compare(f"{name}.polarity", mine.polarity, right.polarity, ["half"] if symmetric else [])
        compare(f"{name}.conv", mine.conv, right.conv, [right.conv] if asks_image and mine.conv else [])
        compare(f"{name}.pool", mine.pool, right.pool, [right.pool] if asks_image else [])
        places = choices(made, "batch_norm_place") if mine.batch_norm else []
        compare(f"{name}.place", mine.batch_norm_place, right.batch_norm_place, places)
        assert not mine.conv or mine.conv.groups == right.conv.groups
    compare("normalization", found.normalization, truth.normalization, choices(made, "normalization"))
    if truth.readout.head:
        mine, right = found.readout.head, truth.readout.head
        every = tuple(range(len(truth.layers)))
        compare("head", (mine.weights, mine.bias), (right.weights, right.bias), [])
        compare("layers", found.readout.layers or every, truth.readout.layers or every,
                [tuple(layers) for layers in choices(made, "readout.layers")])  # fmt: skip
        compare("activities", mine.activities, right.activities, choices(made, "readout.head.activities"))
    else:
        kinds = [Spec.model_fields["readout"].annotation(**choice) for choice in choices(made, "readout")]
        compare("readout", found.readout, truth.readout, kinds)
        if label["kind"] != "none":
            compare("goodness", found.goodness, truth.goodness, choices(made, "goodness"))
            offered = [choice["kind"] for choice in choices(made, "probability")]
            compare("probability", found.probability.kind, truth.probability.kind, offered)
    return said


@pytest.mark.parametrize(("recipe", "change"), NETS)
def test_the_draft_for_a_recipe_is_right_or_asks_and_compiles(images, recipe, change):
    widths = next((sizes for name, sizes in WIDTHS.items() if recipe.startswith(name)), (12, 12, 8))
    content = train(recipe, images, widths=widths, epochs=0, **CHANGES[change]).checkpoint()
    truth = parse_spec(content["spec"] | {"activation": "relu"}, "the recipe")  # the only one that compiles
    made = draft(recipe, shapes(content["tensors"]))
    said = differences(parse_spec(made.values, "the draft"), truth, made)
    if recipe.startswith("ff-prospective"):  # whose read-out skips the layers that repeat one
        assert [line.partition(":")[0] for line in said] == ["readout"]
        said = []
    assert said == []
    assert made.missing == made.unplaced == ()
    tensors = {name: tensor if tensor.any() else torch.ones_like(tensor) for name, tensor in content["tensors"].items()}
    built = network.build(live_checkpoint(tensors, made.values))
    assert [layer.name for layer in built.layers] == [f"hidden{n + 1}" for n in range(len(truth.layers))]


def test_the_answers_to_the_questions_give_the_recipes_spec(images):
    """Every question has the right answer; asked, the draft is the spec that the recipe wrote."""
    content = train("ffa-symmetric", images, widths=(12,), epochs=0).checkpoint()
    truth = parse_spec(content["spec"], "the recipe")
    right = {"probability": {"kind": "symmetric"}, "goodness": "sum_squares", "input.norm": "none"}

    def answer(question: Question) -> Choice:
        [found] = [
            choice for choice in question.choices
            if yaml.safe_load(choice.value) == right.get(question.key, yaml.safe_load(question.choices[0].value))
        ]  # fmt: skip
        return found

    found = parse_spec(draft("it", shapes(content["tensors"]), answer).values, "the draft")
    same = {"probability": truth.probability}
    assert found.model_copy(update=same) == truth
