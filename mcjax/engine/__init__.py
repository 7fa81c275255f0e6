"""Running many chains: lanes, blocks, chunks and streaming moments."""
