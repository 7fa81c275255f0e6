"""Chains: the simulation of one network for one key, generation by generation."""
