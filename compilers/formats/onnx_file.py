"""The weights of an ONNX model, by name: its initialisers of floats, matrices as torch has them, (out, in)."""

# pyright: reportMissingImports=false
# The package onnx is an extra, for those who have such files.

from collections.abc import Iterator

import numpy as np

from ff2loihi.compilers.errors import brief, shortened

FLOATS = ("FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16")  # integers are shapes and axes
INLINE = "Write it as one file: onnx.save(onnx.load(FILE), OTHER)"


def from_onnx(data: bytes) -> dict[str, np.ndarray]:
    """In the order in which its nodes take them. Raises ImportError without the package, ValueError with a reason."""
    import onnx

    kinds = {getattr(onnx.TensorProto, name) for name in FLOATS}
    try:
        graph = onnx.ModelProto.FromString(data).graph
    except Exception as error:  # protobuf raises its own error, which has no public name in all its versions
        raise ValueError(f"{brief(error, 100) or type(error).__name__}. Export it again") from None
    held = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type in kinds}
    for name, tensor in held.items():
        if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ValueError(f"{shortened(name)} lies in another file. {INLINE}")
    handed = _handed_on(graph)
    turned = {handed.get(name, name) for name in _turned(graph, onnx.helper.get_attribute_value)}
    taking = (name for node in graph.node if node.op_type != "Identity" for name in node.input)
    taken = dict.fromkeys(name for name in (handed.get(name, name) for name in taking) if name in held)
    found = {}
    for name in taken | dict.fromkeys(held):
        try:
            array = onnx.numpy_helper.to_array(held[name])
        except Exception as error:  # numpy's and onnx's own, where a tensor holds less than its shape says
            raise ValueError(f"{shortened(name)}: {brief(error, 100)}. Export it again") from None
        array = array if array.dtype.kind == "f" else array.astype(np.float32)  # bfloat16 is none of numpy's
        found[name] = array.T if name in turned and array.ndim == 2 else array
    return found


def _handed_on(graph) -> dict[str, str]:
    """By the name of what Identity nodes put out: what they are given first. A node stands behind those it takes."""
    found: dict[str, str] = {}
    for node in graph.node:
        if node.op_type == "Identity":
            for given, name in zip(node.input, node.output, strict=False):
                found[name] = found.get(given) or given
    return found


def _turned(graph, value_of) -> Iterator[str]:
    """The matrices that stand on the right of a product as they are, (in, out): of MatMul, and of Gemm without transB.

    Raises ValueError for a Gemm that scales its product or its bias.
    """
    for node in graph.node:
        if node.op_type == "MatMul":
            yield from node.input[1:2]
        elif node.op_type == "Gemm":
            said = {attribute.name: value_of(attribute) for attribute in node.attribute}
            if (said.get("alpha", 1.0), said.get("beta", 1.0)) != (1.0, 1.0):
                raise ValueError(f"{shortened(node.name)} scales what it computes. Put alpha and beta in its weights")
            if not said.get("transB", 0):
                yield from node.input[1:2]
