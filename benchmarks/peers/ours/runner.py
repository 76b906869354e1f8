"""This project, with the settings of its workflow: they come before JAX is imported."""

import os

from protocol import serve

from mlip_core.study.runtime import prepare_jax


def main() -> None:
    """Serve the driver."""
    prepare_jax(int(os.environ["BENCHMARK_THREADS"]))
    from program import Program

    serve(Program)


if __name__ == "__main__":
    main()
