"""Many chains at once: programs, lanes, blocks, chunks and streaming moments."""
