"""The module by which lava.utils.loihi.is_installed knows the extension."""


class Loihi2HWProfiler:
    pass
