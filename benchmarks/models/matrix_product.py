"""Time of a large float32 matrix product by XLA: ``python -m benchmarks.models.matrix_product``.

A program of its own: whoever starts it has no use for JAX, and sets the threads by NPROC.
"""

import sys
import time

import jax

SIZE = 1024
REPETITIONS = 50


def main() -> None:
    """Write the fewest seconds that the product took."""
    matrix = jax.random.normal(jax.random.key(0), (SIZE, SIZE), "float32")
    product = jax.jit(lambda factor: factor @ factor)
    seconds = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        product(matrix).block_until_ready()
        seconds.append(time.perf_counter() - start)
    sys.stdout.write(f"{min(seconds)}\n")


if __name__ == "__main__":
    main()
