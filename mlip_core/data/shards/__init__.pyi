from .files import Shard, ShardPlan, read_shard, shard_name, write_shard, write_shards
from .gathering import gather
from .loading import load_graph_dataset
from .manifest import read_manifest

__all__ = [
    "Shard",
    "ShardPlan",
    "gather",
    "load_graph_dataset",
    "read_manifest",
    "read_shard",
    "shard_name",
    "write_shard",
    "write_shards",
]
