"""Imports point down: ff2loihi -> compilers -> processes. Each test lists every offender, not the first."""

import ast

# In compilers/, a room is a stage, or several; what one takes of another all the same, and why.
STAGES = ("frontend", "inference", "learning", "board", "artifact", "interchange")
SHARED = {
    "frontend.spec",  # the options of a network that the IR holds
    "inference.arithmetic_rules",  # an artifact that is read is held to the compiler's own rules
    "learning.fit",
    "inference.integer_forward",  # the arithmetic itself
    "inference.float_forward",
    "inference.readout",
    "interchange.nir",  # the reader of others' graphs takes the nodes apart as the writer of ours does
}


def test_processes_import_nothing_of_ours_but_processes(sources):
    allowed = "ff2loihi.processes"
    assert ours_outside(sources, "processes", (allowed,)) == []


def test_compilers_import_nothing_of_ours_but_compilers_and_processes(sources):
    allowed = ("ff2loihi.compilers", "ff2loihi.processes")
    assert ours_outside(sources, "compilers", allowed) == []


def ours_outside(sources, storey, allowed):
    inside = [source for source in sources if source.storey == storey]
    assert inside, f"no files in {storey}/: the test looks in the wrong place"
    fine = {line for source in inside for line in source.imports_of(*allowed)}
    return [
        line
        for source in inside
        for line in source.imports_of("ff2loihi", "compilers", "processes", "sim_tests", "examples")
        if line not in fine
    ]


def test_only_the_pipeline_imports_stages(sources):
    """Nor does anything below the pipeline import the pipeline."""
    offenders = []
    for source in sources:
        if source.storey != "compilers" or source.path == "compilers/pipeline.py":
            continue
        room = source.path.split("/")[1]
        others = [f"ff2loihi.compilers.{stage}" for stage in STAGES if stage != room] + ["ff2loihi.compilers.pipeline"]
        shared = {line for name in SHARED for line in source.imports_of(f"ff2loihi.compilers.{name}")}
        packages = {f"{source.path}:{line} imports {name}" for name, line in source.imports() if name in others}
        offenders += [line for line in source.imports_of(*others) if line not in shared | packages]
    assert offenders == []


def test_in_compilers_only_the_checkpoint_reader_and_the_arithmetic_import_torch(sources):
    arithmetic = ("compilers/inference/integer_forward.py", "compilers/inference/byte_product.py")
    torch_ones = ("compilers/frontend/tensors.py", *arithmetic)
    files = [source for source in sources if source.storey == "compilers" and source.path not in torch_ones]
    assert [line for source in files for line in source.imports_of("torch", "torchvision")] == []


def test_processes_import_no_torch(sources):
    files = [source for source in sources if source.storey == "processes"]
    assert [line for source in files for line in source.imports_of("torch", "torchvision")] == []


def test_only_processes_and_the_lava_back_end_import_lava(sources):
    assert [line for source in without_lava(sources) for line in source.imports_of("lava")] == []


def test_only_processes_and_the_lava_back_end_import_a_process_that_needs_lava(sources):
    """What a current Python, without Lava, must be able to import: limits and fixed_point, not a Process."""
    bottom = [source for source in sources if source.storey == "processes"]
    need_lava = {source.module for source in bottom if source.imports_of("lava")}
    assert need_lava, "no file in processes/ imports lava: the test looks in the wrong place"
    while more := {s.module for s in bottom if s.module not in need_lava and s.imports_of(*need_lava)}:
        need_lava |= more
    assert "ff2loihi.processes.fixed_point" not in need_lava
    assert "ff2loihi.processes" not in need_lava, "processes/__init__.py pulls in lava for everyone"
    assert [line for source in without_lava(sources) for line in source.imports_of(*need_lava)] == []


def without_lava(sources):
    return [
        source
        for source in sources
        if source.storey != "processes"
        and not source.path.startswith(("ff2loihi/backends/lava/", "ff2loihi/backends/loihi/payload/"))
    ]


def test_every_torch_load_says_weights_only(everything):
    """torch.load without it unpickles, and so runs, whatever the file holds."""
    offenders = []
    for source in everything:
        nodes = list(ast.walk(source.tree))  # once: a node is matched by identity below
        names = {"torch"} | {
            alias.asname
            for node in nodes
            if isinstance(node, ast.Import)
            for alias in node.names
            if alias.name == "torch" and alias.asname
        }
        safe_loads = set()
        for node in nodes:
            match node:
                case ast.Call(func=ast.Attribute(attr="load") as function, keywords=keywords):
                    if any(k.arg == "weights_only" and is_true(k.value) for k in keywords):
                        safe_loads.add(function)
                case ast.ImportFrom(module="torch", names=imported) if any(alias.name == "load" for alias in imported):
                    offenders.append(f"{source.path}:{node.lineno} import torch and call torch.load by its full name")
        for node in nodes:
            match node:
                case ast.Attribute(attr="load", value=ast.Name(id=name)) if name in names and node not in safe_loads:
                    offenders.append(f"{source.path}:{node.lineno} torch.load without weights_only=True")
    assert offenders == []


def is_true(node):
    return isinstance(node, ast.Constant) and node.value is True
