"""An artifact's network in the files of other frameworks: netx, NIR, and the learning rule beside them."""
