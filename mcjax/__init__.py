"""Test whether the theory of model collapse holds.

mcjax studies networks of models that train on each other's output. It has a law that says which
models collapse, laws that predict the errors of every model, thousands of seeded chains that
simulate them, and verdicts on whether theory and simulation agree.

The subpackages, each of which imports only those above it (enforced by a test)::

    version    the version that is installed
    files      what a path holds, read once and within bounds
    own_files  files that may be written again
    faults     what a user's code raises, in one sentence
    numbers    numbers as they come from Python, NumPy and files
    text       names and numbers for people; JSON and CSV
    summaries  how objects show themselves, as text and in notebooks
    ongoing    how far long work inside of a computation is
    calls      calls with other arguments than a function takes
    arguments  the types of arguments, where users call functions
    solvers    linear systems, and how a fit ends
    data       real data from files
    draws      random numbers by position
    network    who feeds whom
    estimators how a model is fitted
    models     loss, sampler and information of a model
    chains     one chain of one network
    study      conditions and settings, from Python or from a file
    engine     many chains and their moments
    laws       the collapse law; predicted moments
    selections what a reader keeps of a feed
    diagnosis  the collapse law applied to one network
    design     how much real data for which model
    pictures   networks drawn, as SVG and in letters
    verdicts   simulation compared with laws
    checks     a user's own code, before it is simulated
    generators networks of models that are known by four functions alone
    progress   how far a long run is, and how long it will take
    api        predict, simulate, verify and replay
    logs       losses that somebody logged, judged by laws
    published  published results, each with a study that shows it
    report     tables, JSON and results on disk
    bench      how fast a machine is
    plot       plots of one's own studies and networks
    figures    figures for papers
    cli        the command line

Importing mcjax does not import JAX, changes no settings and allocates nothing. The names of the
package are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
