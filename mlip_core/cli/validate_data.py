"""``mlip-core validate-data``."""

from typing import Annotated, Any

import typer

from mlip_core.cli.console import print_json, print_pairs, print_table
from mlip_core.cli.options import Json, Labels, Structures, label_keys
from mlip_core.utils.errors import UserError


def validate_data(
    structures: Structures,
    label: Labels = None,
    require: Annotated[
        str, typer.Option(help="Labels that every structure must have, with commas between.")
    ] = "energy,forces",
    json: Json = False,
) -> None:
    """Look for what is wrong with training data.

    As a study does before it trains: duplicates, atoms too near each other, wrong units or signs,
    mixed levels of theory, outliers and more. Ends with status 1 if there is an error among the
    findings.

    Examples:
      mlip-core validate-data train.xyz
      mlip-core validate-data *.xyz --label energy_key=REF_energy --label forces_key=REF_forces
      mlip-core validate-data slab.h5 --require energy,forces,stress --json > findings.json
    """
    from mlip_core.data.frames import QUANTITIES
    from mlip_core.data.quality import QualityConfig, check_files

    wanted = [name for name in require.split(",") if name]
    unknown = sorted(set(wanted) - set(QUANTITIES))
    if unknown:
        raise UserError(f"--require {require}: {unknown[0]} is not one of {', '.join(QUANTITIES)}")
    config = QualityConfig.model_validate({"require": wanted})
    report, _ = check_files([str(path) for path in structures], label_keys(label), config)
    is_bad = any(finding.action == "error" for finding in report.findings)
    if json:
        print_json(report.to_json())
    else:
        _print(report.to_json())
    raise typer.Exit(1 if is_bad else 0)


def _print(report: dict[str, Any]) -> None:
    summary = report["summary"]
    print_pairs(
        {
            "structures": summary["frames"],
            "free atoms": summary["free_atoms"],
            "atoms": "{total} (from {smallest} to {largest})".format(**summary["atoms"]),
            "elements": ", ".join(f"{k} in {n}" for k, n in summary["frames_per_element"].items()),
            "compositions": summary["compositions"]["number"],
            "periodic": summary["periodic_frames"],
            "labels": ", ".join(f"{k} in {n}" for k, n in summary["labels"].items()),
        }
    )
    typer.echo()
    if not report["findings"]:
        typer.echo("nothing is wrong")
        return
    print_table(
        ["", "check", "structures", "first", "finding"], [_row(f) for f in report["findings"]]
    )


def _row(finding: dict[str, Any]) -> list[object]:
    first = finding["frames"][0] if finding["frames"] else None
    return [
        finding["action"],
        finding["check"],
        finding["count"],
        f"{first['file']}: frame {first['index']}" if first else "-",
        f"{finding['message']}; {finding['remedy']}",
    ]
