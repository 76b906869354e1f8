"""From reference data to a tested model and a report: `snakemake --cores all`."""

from snakemake.utils import min_version

min_version("9.0")


# A study given on the command line replaces the default one; it is not merged into it.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/active_learning_inputs.smk"


rule all:
    default_target: True
    input:
        "results/report/index.html",
        "results/models/best.zip",


localrules:
    all,
    prepare,
    train,
    evaluate,
    export,
    select,


include: "workflow/rules/download.smk"
include: "workflow/rules/reference.smk"
include: "workflow/rules/dataset.smk"
include: "workflow/rules/shards.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/physics.smk"
include: "workflow/rules/active_learning.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/stages.smk"
