localrules:
    download,


rule download:
    """A file that the config gives by address and checksum: fetched once, then here to stay."""
    output:
        "results/downloads/{sha256}/{file}",
    log:
        "results/logs/download/{sha256}/{file}.log",
    wildcard_constraints:
        sha256="[0-9a-f]{64}",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=240,
    params:
        # With `output` as an argument it is not compared: the content counts, not where it is from.
        url=lambda wildcards, output: REMOTE_FILES[wildcards.sha256].url,
    script:
        "../scripts/download.py"
