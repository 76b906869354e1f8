"""Graphs on disk: memory-mapped, checksummed, made by as many jobs as one likes.

A split is cut into chunks of a fixed number of structures, and each chunk becomes one file, a
*shard*. Jobs make whole shards; gathering puts those of all jobs in one place, reduces their
statistics and writes a manifest with checksums. Nothing depends on the number of jobs.

A shard holds the flat arrays of a :class:`~mlip_core.data.helpers.graph_store.Segment`: all atoms
of all structures in one array, all edges in another. Nothing is padded on disk: rows of one length
would have to be cut to the structures' sizes again before they are put into batches, which have
their own padding.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
