from pathlib import Path

import pytest

from mlip_core.utils.errors import UserError, exit_on_user_error


def test_user_error_ends_the_program_in_one_line() -> None:
    with pytest.raises(SystemExit, match=r"^error: a\.xyz: no forces$"), exit_on_user_error():
        raise UserError("a.xyz: no forces")


def test_files_without_permission_are_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="missing: No such file"), exit_on_user_error():
        (tmp_path / "missing").read_text()


def test_other_errors_are_ours() -> None:
    with pytest.raises(ZeroDivisionError), exit_on_user_error():
        _ = 1 / 0


def test_nothing_happens_without_an_error() -> None:
    with exit_on_user_error():
        value = 3
    assert value == 3
