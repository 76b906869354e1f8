"""This project's engines; settings of its workflow come before JAX is imported."""

import os

from protocol import serve

from mlip_core.study.runtime import prepare_jax


def main() -> None:
    """Serve the driver."""
    prepare_jax(int(os.environ["BENCHMARK_THREADS"]))
    from dynamics_program import Program

    serve(Program)


if __name__ == "__main__":
    main()
