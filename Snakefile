"""Where `snakemake` finds the workflow, beside its profiles."""


include: "workflow/Snakefile"


# Snakemake asks nothing of an included file when no target is given.
workflow.default_target = "all"
