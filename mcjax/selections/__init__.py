"""What a reader keeps of a feed: how chains draw it, and what laws know of it."""
