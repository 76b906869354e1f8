"""When the jobs of a study ran and what they took.

Snakemake leaves a table for each job (``benchmark:``), which says how long the job ran, and which
is written when it ends. Where jobs ran in several sessions, the last one of each job counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mlip_core.report.elements import Cell, Column, Row, Table, number, word
from mlip_core.report.figure_files import BLUE, FAINT, FigureFile, FigureWriter, style
from mlip_core.report.formats import duration

_LONGEST_PAUSE_SECONDS = 120.0
_PAUSE_SHARE = 0.03  # of the figure's width


@dataclass(frozen=True)
class Job:
    """A job that ended.

    Attributes:
        rule: its rule.
        name: what it worked on.
        start: seconds since 1970.
        end: the same.
        memory_mb: the most memory it held, MB; NaN if it was too short to be measured.
        cpu_seconds: time of all its threads.
    """

    rule: str
    name: str
    start: float
    end: float
    memory_mb: float
    cpu_seconds: float

    @property
    def seconds(self) -> float:
        """How long it ran."""
        return self.end - self.start


@dataclass(frozen=True)
class TimelineView:
    """The timeline on its page."""

    summary: str
    table: Table
    figures: Sequence[FigureFile]


def read_jobs(directory: Path) -> list[Job]:
    """The jobs whose benchmarks lie under ``directory``, in the order in which they began."""
    # The job that makes the report has not ended: its file would be that of the last time.
    paths = sorted(set(directory.rglob("*.tsv")) - {directory / "report.tsv"})
    jobs = [job for path in paths for job in _read_job(directory, path)]
    return sorted(jobs, key=lambda job: (job.start, job.end, job.rule, job.name))


def timeline_view(jobs: Sequence[Job], writer: FigureWriter) -> TimelineView | None:
    """The jobs in a figure and by rule; ``None`` if there are none."""
    if not jobs:
        return None
    sessions = _sessions(jobs)
    several = len(sessions) > 1
    text = f"{len(jobs)} jobs in {duration(sum(map(_length, sessions)))}"
    if several:
        text += f" without pauses, in {len(sessions)} sessions"
    figure = writer.write(
        "timeline",
        _gantt(sessions),
        alt=f"Bars from the start to the end of each job, one row for each rule: {text}.",
        caption="Each bar is a job, from its start to its end; jobs that ran at once lie one above "
        f"the other.{' Where nothing ran for some minutes the axis is cut.' if several else ''}",
    )
    return TimelineView(f"{text}.", _rules_table(jobs), [figure])


def _read_job(directory: Path, path: Path) -> Iterator[Job]:
    if not path.stat().st_size:
        return
    table = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
    parts = path.relative_to(directory).with_suffix("").parts
    end, row = path.stat().st_mtime, table.iloc[-1]
    yield Job(
        rule=parts[0],
        name="/".join(parts[1:]),
        start=end - float(row["s"]),
        end=end,
        memory_mb=float(row.get("max_rss", np.nan)),
        cpu_seconds=float(row.get("cpu_time", np.nan)),
    )


def _sessions(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs with no long pause between them; ``jobs`` are in the order of their starts."""
    sessions: list[list[Job]] = []
    end = -np.inf
    for job in jobs:
        if job.start - end > _LONGEST_PAUSE_SECONDS:
            sessions.append([])
        sessions[-1].append(job)
        end = max(end, job.end)
    return sessions


def _length(session: Sequence[Job]) -> float:
    """Seconds from the first start to the last end."""
    return max(job.end for job in session) - session[0].start


def _rules_table(jobs: Sequence[Job]) -> Table:
    rules = dict.fromkeys(job.rule for job in jobs)
    rows = [_rule_row(rule, [job for job in jobs if job.rule == rule]) for rule in rules]
    columns = [
        Column("Step", numeric=False),
        Column("Jobs"),
        Column("Time in all", "s"),
        Column("Longest", "s"),
        Column("Longest job", numeric=False),
        Column("Processor", "s"),
        Column("Most memory", "MB"),
    ]
    return Table("What the steps took, in the order in which they began", columns, rows, True)


def _rule_row(rule: str, jobs: Sequence[Job]) -> Row:
    longest = max(jobs, key=lambda job: job.seconds)
    memory = [job.memory_mb for job in jobs if not np.isnan(job.memory_mb)]
    return Row(
        [
            word(rule),
            number(len(jobs), str(len(jobs))),
            number(sum(job.seconds for job in jobs)),
            number(longest.seconds),
            word(longest.name),
            number(float(np.nansum([job.cpu_seconds for job in jobs]))),
            number(max(memory), f"{max(memory):.0f}") if memory else Cell("–"),
        ]
    )


def _gantt(sessions: Sequence[Sequence[Job]]) -> Figure:
    """One row for each rule, as many lanes in it as jobs ran at once, pauses cut out."""
    starts = _starts(sessions)
    jobs = [
        replace(job, start=at + job.start - session[0].start, end=at + job.end - session[0].start)
        for session, at in zip(sessions, starts, strict=True)
        for job in session
    ]
    rules = list(dict.fromkeys(job.rule for job in jobs))
    with style():
        figure = Figure(figsize=(9.6, 0.9 + 0.3 * len(rules)))
        axes = figure.subplots()
        for row, rule in enumerate(rules):
            _draw_rule(axes, row, [job for job in jobs if job.rule == rule])
        for session, at in zip(sessions, starts, strict=True):
            axes.axvline(at, color=FAINT, linewidth=0.8, linestyle=":")
            _label_session(axes, session[0].start, at)
        axes.set_yticks(range(len(rules)), rules)
        axes.set(
            ylim=(len(rules) - 0.5, -0.5),
            xlabel="time without pauses (s)" if len(sessions) > 1 else "time (s)",
        )
        axes.set_xlim(left=0.0)
        axes.grid(visible=False, axis="y")
    return figure


def _draw_rule(axes: Axes, row: int, jobs: Sequence[Job]) -> None:
    lanes = _lanes(jobs)
    height = 0.8 / (max(lanes) + 1)
    axes.barh(
        [row - 0.4 + (lane + 0.5) * height for lane in lanes],
        [job.seconds for job in jobs],
        left=[job.start for job in jobs],
        height=0.9 * height,
        color=BLUE,
        # The edge shows jobs of a moment, too.
        edgecolor=BLUE,
        linewidth=0.5,
    )


def _label_session(axes: Axes, begin: float, at: float) -> None:
    axes.annotate(
        datetime.fromtimestamp(begin, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        (at, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(2, 3),
        textcoords="offset points",
        fontsize=8,
        color=FAINT,
    )


def _starts(sessions: Sequence[Sequence[Job]]) -> list[float]:
    """Where each session begins in the figure, which cuts the pauses short."""
    lengths = [_length(session) for session in sessions]
    pause = _PAUSE_SHARE * sum(lengths)
    return [sum(lengths[:i]) + i * pause for i in range(len(sessions))]


def _lanes(jobs: Sequence[Job]) -> list[int]:
    """The lane of each job, in the order of their starts: the first one that is free then."""
    free_from: list[float] = []
    lanes = []
    for job in jobs:
        lane = next((i for i, end in enumerate(free_from) if end <= job.start), len(free_from))
        free_from[lane : lane + 1] = [job.end]
        lanes.append(lane)
    return lanes
