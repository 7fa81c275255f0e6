"""mcjax: does the theory of model collapse hold?

Networks of models that train on each other's output: the law of who collapses, the laws of every
model's error, thousands of seeded chains that simulate them, and verdicts on whether they agree.

The rooms, in the order in which data flow::

    study      files and settings          -> network, families
    network    who feeds whom              -> diagnosis, chains, laws
    families   loss, sampler, information  -> chains, laws
    draws      random numbers by position  -> chains
    fits       one M-estimate              -> chains
    chains     one chain of one network    -> engine
    engine     many chains, their moments  -> verdicts
    diagnosis  the collapse law            -> laws, report
    laws       predicted moments           -> verdicts
    verdicts   simulation against law      -> report
    report     tables, JSON, results on disk, figures

Importing mcjax imports no JAX, changes no setting and allocates nothing; names below are loaded
when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
