"""A bar is shown to terminals, or on request."""

import pytest

from mlip_core.utils.progress_bar import progress_bar


@pytest.mark.parametrize(("is_shown", "shows"), [(None, False), (False, False), (True, True)])
def test_bar(is_shown: bool | None, shows: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("steps", 7, is_shown) as move:
        move(completed=5)
        move(advance=2)
    output = capsys.readouterr()
    assert output.out == ""
    assert ("7/7" in output.err) == shows
    assert bool(output.err) == shows
