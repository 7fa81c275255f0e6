"""Chains: what one seed of one network does, generation by generation."""
