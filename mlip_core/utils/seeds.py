"""Random numbers: one integer seed per run, every use derives its own from it by name."""

from hashlib import sha256


def derive_seed(seed: int, *names: str | int) -> int:
    """A seed in ``[0, 2**31)`` for one named use, e.g. ``derive_seed(42, "shuffle", epoch)``.

    Uses with different names are independent; adding a use changes no other.
    """
    digest = sha256("\0".join(str(part) for part in (seed, *names)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
