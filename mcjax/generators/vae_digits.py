"""A variational autoencoder of the handwritten digits of scikit-learn.

The population are 1,437 of its 1,797 images of 8 x 8 pixels; the others are held out. A hidden
layer has 64 units. See :mod:`mcjax.generators.autoencoder`.
"""

from __future__ import annotations

from mcjax.data.packages import frame_of_package
from mcjax.errors import InputError
from mcjax.generators.autoencoder import autoencoder, check_training
from mcjax.generators.generator import Generator
from mcjax.generators.images import Images, compared

HELD_OUT, SIDE, HIDDEN = 360, 8, 64
"""Images held out, pixels of a side, units of a layer."""


def vae_digits(steps: int = 500, batch: int = 128, rate: float = 3e-3) -> Generator:
    """Return the generator.

    Parameters
    ----------
    steps : int
        Steps of every fit.
    batch : int
        Rows of a step, drawn with replacement.
    rate : float
        The first learning rate.

    Raises
    ------
    InputError
        If a number is out of range, or scikit-learn is not installed.
    """
    check_training(steps=steps, batch=batch, rate=rate)
    return autoencoder(
        "vae-digits", load_digits(), hidden=HIDDEN, steps=steps, batch=batch, rate=rate
    )


def load_digits() -> Images:
    """Return the images of scikit-learn, always split in the same way.

    Raises
    ------
    InputError
        If scikit-learn is not installed.
    """
    try:
        columns, target = frame_of_package("sklearn", "digits")
    except InputError as error:
        raise InputError("family.name", error.message) from error
    pixels = columns.drop(columns=target).to_numpy() / 16
    return compared(pixels.reshape(-1, SIDE, SIDE), HELD_OUT)
