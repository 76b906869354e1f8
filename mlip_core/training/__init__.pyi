from .log_category import LogCategory
from .optimizer import (
    get_default_mlip_optimizer,
    get_mlip_optimizer_chain_with_flexible_base_optimizer,
)
from .optimizer_config import OptimizerConfig
from .progress import TrainingProgress
from .training_io_handler import TrainingIOHandler, TrainingIOHandlerConfig
from .training_loggers import (
    convert_mse_to_rmse_in_logs,
    has_tensorboard,
    log_metrics_to_json_lines,
    log_metrics_to_line,
    log_metrics_to_table,
    log_metrics_to_tensorboard,
    log_metrics_to_tracker,
)
from .training_loop import TrainingLoop
from .training_loop_config import TrainingLoopConfig

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
    "has_tensorboard",
    "log_metrics_to_json_lines",
    "log_metrics_to_line",
    "log_metrics_to_table",
    "log_metrics_to_tensorboard",
    "log_metrics_to_tracker",
]
