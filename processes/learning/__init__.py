"""Processes of networks that learn with our own neurons: input, neuron, third factor, plastic layer, network."""
