"""What a layer's latents look like: pure functions of arrays, each with its equation and its paper.

Latents are (samples, n) arrays of activities, one row a sample; labels (samples,) are the samples' classes.
"""
