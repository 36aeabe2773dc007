"""`ff2loihi report`: models side by side on one self-contained HTML page.

gather: what the page says, every figure from the room that other commands take it from. drawing: figures as inline SVG.
"""

FIRST_LINES = "<!doctype html>\n<!-- ff2loihi report -->\n"  # how such a file is known
