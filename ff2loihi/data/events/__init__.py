"""Events as a data set: recordings of a sensor or spike trains, a sample at a time, binned into the spikes of inputs.

`recordings` says what a recording is, `files` finds those of a path, `binned` makes rows of them.
"""
