"""The guide's way to train: its code blocks, run as printed."""

import re
import textwrap
from pathlib import Path
from typing import Any

import jax
import pytest

from mlip_core.models import ForceField
from mlip_core.models.loss import MSELoss
from mlip_core.training import LogCategory, TrainingIOHandler, TrainingLoop
from mlip_core.training import get_default_mlip_optimizer as default_optimizer
from tests.training.tiny import INFO, make_dataset, make_force_field

GUIDE = (Path(__file__).parent / "guide_blocks.rst").read_text(encoding="utf-8")
BLOCKS = [
    textwrap.dedent(block).replace("mlip.", "mlip_core.")
    for block in re.findall(r"code-block:: python\n\n((?:    .*\n|\n)+)", GUIDE)
]
RUN, FINAL, LOSS, OPTIMIZER, IO, LOGGER = range(6)

# The last block is not Python as printed: `from` is missing, and a docstring is not indented.
REPAIRS = {
    "mlip_core.training.training_io_handler import": (
        "from mlip_core.training.training_io_handler import"
    ),
    '\n"""Advanced logging function"""': '\n    """Advanced logging function"""',
}


def repaired(block: str) -> str:
    for printed, meant in REPAIRS.items():
        assert block.count(printed) == 1
        block = block.replace(printed, meant)
    return block


def run(block: str, **names: Any) -> dict[str, Any]:
    """The names that a block defines, given those that the guide takes for granted."""
    names |= {"Any": Any, "jax": jax}
    exec(compile(block, "guide_blocks.rst", "exec"), names)  # noqa: S102
    return names


def test_guide_has_six_blocks_of_which_one_is_not_python_as_printed() -> None:
    assert len(BLOCKS) == 6
    for block in BLOCKS[:LOGGER]:
        compile(block, "guide_blocks.rst", "exec")
    with pytest.raises(SyntaxError):
        compile(BLOCKS[LOGGER], "guide_blocks.rst", "exec")
    compile(repaired(BLOCKS[LOGGER]), "guide_blocks.rst", "exec")


def test_blocks_train_a_model_that_can_be_found_in_the_output(tmp_path: Path) -> None:
    loss = run(BLOCKS[LOSS])["loss"]
    optimizer = run(BLOCKS[OPTIMIZER], config_kwargs={"peak_learning_rate": 1e-3})["optimizer"]
    options = {"local_model_output_dir": str(tmp_path), "max_checkpoints_to_keep": 1}
    io_handler = run(BLOCKS[IO], config_kwargs=options)["io_handler"]
    run(repaired(BLOCKS[LOGGER]), io_handler=io_handler)
    logged: list[LogCategory] = []
    io_handler.attach_logger(lambda category, *_: logged.append(category))
    names = run(
        BLOCKS[RUN],
        _get_dataset=lambda: (make_dataset(), make_dataset(5, 2, seed=1), INFO),
        _get_force_field=make_force_field,
        _get_loss=lambda: loss,
        _get_optimizer=lambda: optimizer,
        _get_training_loop_io_handler=lambda: io_handler,
        config_kwargs={"num_epochs": 2},
    )
    loop = names["training_loop"]
    params = run(BLOCKS[FINAL], training_loop=loop)["final_params"]
    assert isinstance(loop.best_model, ForceField)
    same_shapes = jax.tree.map(lambda x, y: x.shape == y.shape, loop.best_model.params, params)
    assert jax.tree.all(same_shapes)
    assert loop.test(make_dataset(4, 2, seed=2)).keys() >= {"loss", "mae_e", "mse_f"}
    assert logged[-1] is LogCategory.TEST_METRICS
    assert set(logged) >= set(LogCategory) - {LogCategory.CLEANUP_AFTER_CKPT_RESTORATION}
    assert (tmp_path / "dataset_info.json").is_file()
    assert [path.name for path in (tmp_path / "model").iterdir()] == [str(loop.best_epoch)]


def test_function_that_syncs_gets_the_output_directory(tmp_path: Path) -> None:
    synced: list[Any] = []
    block = BLOCKS[IO].replace("pass  # placeholder", "synced.append(source)")
    names = run(block, config_kwargs={"local_model_output_dir": str(tmp_path)}, synced=synced)
    names["io_handler"].save_dataset_info(INFO)
    names["io_handler"].wait_until_finished()
    assert synced == [str(tmp_path)]


def test_weight_flip_of_the_guide_happens_after_epoch_100() -> None:
    loss = run(BLOCKS[LOSS])["loss"]
    weights = [[float(w) for w in loss.weights(epoch).values()] for epoch in (1, 101)]
    assert weights == [[1, 25, 0], [25, pytest.approx(1), 0]]


def test_defaults_are_enough(capsys: pytest.CaptureFixture[str]) -> None:
    loop = TrainingLoop(
        make_dataset(),
        make_dataset(5, 2, seed=1),
        make_force_field(),
        MSELoss(),
        default_optimizer(),
        TrainingLoop.Config(num_epochs=1),
    )
    loop.run()
    assert "Epoch 1 | Validation set | loss: " in capsys.readouterr().out


def test_default_handler_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    TrainingIOHandler().save_dataset_info(INFO)
    assert not list(tmp_path.iterdir())
