"""A variational autoencoder of MNIST's handwritten digits, from a file of the user's.

Images of 28 x 28 pixels are halved: a pixel is the mean of four. Of at most 10,000 images, taken at
random, a fifth is held out. A hidden layer has 128 units. See :mod:`mcjax.generators.autoencoder`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from mcjax.data.images import SIDE, read_images
from mcjax.errors import InputError, named_by
from mcjax.generators.autoencoder import autoencoder, check_training
from mcjax.generators.generator import Generator
from mcjax.generators.images import Images, compared

MOST, FEWEST, HIDDEN = 10_000, 100, 128
"""Largest and smallest number of images that are used, and units of a layer."""
HELD_OUT = 5
"""One of so many images is held out."""


def vae_mnist(images: Path, steps: int = 300, batch: int = 128, rate: float = 2e-3) -> Generator:
    """Return the generator.

    Parameters
    ----------
    images : Path
        File or folder of images, see :func:`mcjax.data.images.read_images`.
    steps : int
        Steps of every fit.
    batch : int
        Rows of a step, drawn with replacement.
    rate : float
        The first learning rate.

    Raises
    ------
    InputError
        If a number is out of range, or the file does not hold images as those of MNIST.
    """
    check_training(steps=steps, batch=batch, rate=rate)
    with named_by("family.images"):
        halves = load_halves(images)
    return autoencoder("vae-mnist", halves, hidden=HIDDEN, steps=steps, batch=batch, rate=rate)


def load_halves(path: Path) -> Images:
    """Return the images of a file, of half the height and width, always split in the same way.

    Raises
    ------
    InputError
        If the file is malformed, or holds too few images.
    """
    whole = read_images(path)
    if len(whole) < FEWEST:
        problem = f"holds {len(whole)} images; give at least {FEWEST}"
        raise InputError("family.images", problem, str(path))
    half = SIDE // 2
    halves = whole.reshape(-1, half, 2, half, 2).mean((2, 4))
    if not (halves.std(0) > 0).any():
        raise InputError("family.images", "holds the same image again and again", str(path))
    used = np.random.default_rng(1).permutation(len(halves))[:MOST]
    chosen = halves[np.sort(used)]
    found = compared(chosen, len(chosen) // HELD_OUT)
    kept = len(found.population)
    return found._replace(
        about=f"Real rows: {kept:,} of {len(whole):,} images in {path.name}, of half the height and"
        f" width; {len(found.held_out):,} others are held out",
        digest=f", images {hashlib.sha256(chosen.tobytes()).hexdigest()[:16]}",
    )
