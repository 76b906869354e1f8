"""Training: the loop and its state, the optimizer, checkpoints, logging."""

from mlip_core.training.log_category import LogCategory
from mlip_core.training.optimizer import (
    get_default_mlip_optimizer,
    get_mlip_optimizer_chain_with_flexible_base_optimizer,
)
from mlip_core.training.optimizer_config import OptimizerConfig
from mlip_core.training.progress import TrainingProgress
from mlip_core.training.training_io_handler import TrainingIOHandler, TrainingIOHandlerConfig
from mlip_core.training.training_loggers import (
    convert_mse_to_rmse_in_logs,
    log_metrics_to_line,
    log_metrics_to_table,
)
from mlip_core.training.training_loop import TrainingLoop
from mlip_core.training.training_loop_config import TrainingLoopConfig

__all__ = [
    "LogCategory",
    "OptimizerConfig",
    "TrainingIOHandler",
    "TrainingIOHandlerConfig",
    "TrainingLoop",
    "TrainingLoopConfig",
    "TrainingProgress",
    "convert_mse_to_rmse_in_logs",
    "get_default_mlip_optimizer",
    "get_mlip_optimizer_chain_with_flexible_base_optimizer",
    "log_metrics_to_line",
    "log_metrics_to_table",
]
