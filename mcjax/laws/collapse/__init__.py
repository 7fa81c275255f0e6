"""The collapse law: where collapse begins in a network, and which models it reaches."""
