"""A memory rule of one's own: the data of the last few generations."""

from dataclasses import dataclass

import mcjax


@dataclass(frozen=True)
class SlidingWindow(mcjax.Memory):
    """A model is fitted to the data of the last ``width`` generations, the current one included."""

    width: int = 2
    name = "sliding window"

    def keeps(self, generation, now):
        """Whether it is one of the last ``width`` generations."""
        return (generation <= now) & (generation > now - self.width)
