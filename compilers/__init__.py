"""The compiler: a Forward-Forward checkpoint becomes an artifact, one stage a file (start at pipeline.py)."""

if __name__ != "ff2loihi.compilers":
    raise ImportError(f"import this package as ff2loihi.compilers, not as {__name__}")
