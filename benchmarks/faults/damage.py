"""What happens to files that nobody looks after."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path


def truncate(path: Path, rng: random.Random) -> None:
    """Cut off at a random place."""
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content)) if content else 0])


def flip_a_bit(path: Path, rng: random.Random) -> None:
    """Change one bit, anywhere."""
    content = bytearray(path.read_bytes())
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def empty(path: Path, rng: random.Random) -> None:
    """Leave nothing in it."""
    del rng
    path.write_bytes(b"")


def delete(path: Path, rng: random.Random) -> None:
    """Remove it."""
    del rng
    path.unlink()


def swap(path: Path, rng: random.Random) -> None:
    """Put another file of its directory, or random bytes, in its place."""
    others = [o for o in sorted(path.parent.glob(f"*{path.suffix}")) if o.is_file() and o != path]
    if others:
        shutil.copyfile(rng.choice(others), path)
    else:
        path.write_bytes(rng.randbytes(1000))


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "cut off": truncate,
    "with a bit flipped": flip_a_bit,
    "emptied": empty,
    "deleted": delete,
    "swapped": swap,
}


def newest_checkpoint(study: Path) -> Path:
    """Where the training of a study would go on."""
    paths = study.glob("results/runs/small/checkpoints/*/resume/*")
    return max((path for path in paths if path.name.isdigit()), key=lambda path: int(path.name))
