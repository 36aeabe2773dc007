"""Files of strangers in the formats that others define: arrays, JSON, YAML, HDF5; no header of them is believed."""
