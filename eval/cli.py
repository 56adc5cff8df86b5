"""`trajsim eval`: benchmarks from the command line."""

import click

from similarity.cli.late import Late, LateGroup

COMMANDS = {
    "ablate": Late("eval.sts_cli", "Measure what each setting of trajectories is worth."),
    "calibrate": Late("eval.calibrate_cli", "Fit a scale to the judgements of a run of `sts`."),
    "cxc": Late("eval.cxc_cli", "Measure agreement with people on Crisscrossed Captions."),
    "entailment": Late("eval.direction_cli", "Print how well scores find the premise of a pair."),
    "hyponymy": Late("eval.direction_cli", "Print how well scores find the hyponym of a pair."),
    "report": Late("eval.report_cli", "Write a report of runs, beside published figures."),
    "sts": Late("eval.sts_cli", "Print Spearman correlations on semantic textual similarity."),
}


@click.group(name="eval", cls=LateGroup, late=COMMANDS)
def evaluate() -> None:
    """Measure models on zero-shot benchmarks of human judgement."""
