from lava.magma.core.model.model import AbstractProcessModel
from lava.magma.core.process.process import ProcessParameters

# Lava's own annotation of `proc_params` says the class where it holds an instance.
class AbstractPyProcessModel(AbstractProcessModel):
    proc_params: ProcessParameters
    def __init__(self, proc_params: ProcessParameters) -> None: ...
    def join(self) -> None: ...

class PyLoihiProcessModel(AbstractPyProcessModel):
    time_step: int
    def post_guard(self) -> bool: ...

class PyAsyncProcessModel(AbstractPyProcessModel):
    num_steps: int
    def run_async(self) -> None: ...
