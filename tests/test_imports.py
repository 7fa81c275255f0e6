"""Every module of the package can be imported."""

import importlib
import pkgutil

import pytest

import mcjax

MODULES = [found.name for found in pkgutil.walk_packages(mcjax.__path__, "mcjax.")]


@pytest.mark.parametrize("name", [name for name in MODULES if name != "mcjax.__main__"])
def test_import(name):
    importlib.import_module(name)
