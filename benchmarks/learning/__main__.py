"""Run a study of ``config/examples`` with several seeds and compare its runs."""

import argparse
import sys
from pathlib import Path

from benchmarks.learning.studies import CLAIMS, measure


def main() -> int:
    """Measure one of the claims; status 1 if it does not hold for each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claim", choices=sorted(CLAIMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of the study")
    parser.add_argument("--cores", type=int, default=2, help="for Snakemake")
    parser.add_argument("--work", type=Path, required=True, help="directory for the studies' files")
    parser.add_argument("--out", type=Path, required=True, help="path of the results, no suffix")
    arguments = parser.parse_args()
    holds = measure(
        arguments.claim,
        arguments.seeds,
        arguments.cores,
        arguments.work.resolve(),
        arguments.out.resolve(),
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
