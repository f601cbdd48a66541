"""The command line: ``python -m graphon_lib sweep | study | audit | claims | diagnose``, each with ``--help``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
ERRORS_SHOWN = 3

app = typer.Typer(
    help="Sweeps over pruning masks, the studies of the book, the check of stored results, the ledger of claims, and "
    "the diagnosis of a pruned network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

# Commands import what they need themselves, so that --help does not wait for Dask.


@app.command("sweep")
def sweep_command(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The grid, a YAML file as in notebooks/sweeps.")],
    store: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of results.  [default: notebooks/results/<name>]")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A running Dask scheduler, instead of a local cluster.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes of the local cluster.  [default: one a core]")
    ] = None,
) -> None:
    """Compute the trials of a grid that its store lacks.

    May be stopped and killed at any time: run it again, and it goes on where it was. A trial that fails becomes a row
    with its error, and is tried again next time.

    Exit status: 0 if all trials are in the store, 1 if some failed, or the cluster or the disk did, 2 if the
    grid is none, 130 if it was interrupted.
    """
    from graphon_lib.sweeps.config import Grid, GridError
    from graphon_lib.sweeps.run import SchedulerError, sweep
    from graphon_lib.sweeps.store import Store, StoreError

    if scheduler is not None and workers is not None:
        raise typer.BadParameter("a scheduler has its own workers; leave one of them out", param_hint="--workers")
    try:
        grid = Grid.from_yaml(config)
        results = Store(store or Path("notebooks/results") / grid.name)
        report = sweep(grid, results, scheduler=scheduler, workers=workers)
    except GridError as error:
        raise _end(str(error), BAD_INPUT) from None
    except (SchedulerError, StoreError) as error:
        raise _end(str(error), FAILED) from None
    except KeyboardInterrupt:
        raise _end("Interrupted; what was finished is stored, and the same command goes on.", INTERRUPTED) from None
    failed = len(report.errors)
    typer.echo(
        f"{grid.name}: {report.computed} trials computed, {report.present} present before, {failed} failed, "
        f"in {report.seconds:.0f} s; results in {results.folder}"
    )
    if failed:
        told = "".join(f"\n  {error}" for error in report.errors[:ERRORS_SHOWN])
        raise _end(
            f"{failed} trials failed and are tried again next time; their errors are in the column 'error' of "
            f"{results.folder}, the first:{told}",
            FAILED,
        )


@app.command("study")
def study_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which study.")],
    store: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of its results.  [default: notebooks/results/<group>/<name>]"),
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", min=1, help="Processes.  [default: one a core]")] = None,
) -> None:
    """Compute the rows of one of the book's studies that its folder lacks.

    Their names: recovery, blocks, flatness, goodness, labels, sharpness, gaussian, degrees, finite_kernels,
    training, ladder, curves, convolutions.

    May be stopped and killed at any time: run it again, and it goes on where it was.

    Exit status: 0 if all rows are there, 1 if some failed, or a process or the disk did, 2 if there is no such study,
    130 if it was interrupted.
    """
    from graphon_lib.sweeps.parts import StoreError
    from graphon_lib.sweeps.studies import STUDIES
    from graphon_lib.sweeps.study import StudyError, run_study

    if name not in STUDIES:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(STUDIES)}", param_hint="NAME")
    study = STUDIES[name]()
    folder = store or Path("notebooks/results") / study.group / name
    try:
        report = run_study(study, folder, workers=workers)
    except (StoreError, StudyError) as error:
        raise _end(str(error), FAILED) from None
    except KeyboardInterrupt:
        raise _end("Interrupted; what was finished is stored, and the same command goes on.", INTERRUPTED) from None
    typer.echo(
        f"{name}: {report.computed} rows computed, {report.present} present before, {len(report.errors)} failed; "
        f"results in {folder}"
    )
    if report.errors:
        told = "".join(f"\n  {error}" for error in report.errors[:ERRORS_SHOWN])
        raise _end(f"{len(report.errors)} rows failed and are tried again next time; the first:{told}", FAILED)


@app.command("audit")
def audit_command(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A folder of results, as in notebooks/results.")],
    rows: Annotated[int, typer.Option(metavar="N", min=1, help="How many rows to recompute.")] = 20,
    seed: Annotated[int, typer.Option(metavar="S", min=0, help="Decides which.")] = 0,
) -> None:
    """Recompute random rows of a store and compare.

    Exit status: 0 if all are equal, 1 if any differs or the store cannot be read.
    """
    from graphon_lib.sweeps.audit import audit
    from graphon_lib.sweeps.store import StoreError

    try:
        differences = audit(store, rows, seed)
    except StoreError as error:
        raise _end(str(error), FAILED) from None
    if differences:
        raise _end("\n".join(str(difference) for difference in differences), FAILED)
    typer.echo(f"{store}: the rows recomputed are what is stored")


@app.command("claims")
def claims_command(
    as_json: Annotated[bool, typer.Option("--json", help="As the site's claims.json has them.")] = False,
) -> None:
    """Print the ledger: each claim with its tests, what was measured, and the verdict.

    From the executed notebooks of the project around the working directory.

    Exit status: 0 if all claims are printed, whatever their verdicts, 1 if a notebook is missing, unreadable or not
    executed, 2 outside the project.
    """
    import json

    from graphon_lib.claims import CLAIMS, read_ledger
    from graphon_lib.claims.table import text_table
    from graphon_lib.sweeps.results import notebooks_folder

    try:
        folder = notebooks_folder()
    except FileNotFoundError as error:
        raise _end(str(error), BAD_INPUT) from None
    try:
        found = read_ledger(folder / f"{name}.ipynb" for name in sorted({c.notebook for c in CLAIMS.values()}))
    except (OSError, ValueError) as error:
        raise _end(str(error), FAILED) from None
    entries = [evidence.entry() for evidence in found]
    typer.echo(json.dumps(entries, indent=2, ensure_ascii=False, allow_nan=False) if as_json else text_table(entries))
    lacking = [claim for key, claim in CLAIMS.items() if key not in {evidence.claim for evidence in found}]
    if lacking:
        notebooks = ", ".join(sorted({f"{folder.name}/{claim.notebook}.ipynb" for claim in lacking}))
        raise _end(
            f"Nothing is recorded on {', '.join(claim.id for claim in lacking)}, in {notebooks}; execute what is not "
            "executed with `make notebooks`",
            FAILED,
        )


@app.command("diagnose")
def diagnose_command(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="A state dict of linear layers, as torch.save wrote it.")
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="Inputs and targets: an .npz, .npy or .pt file, or mnist for the built-in digits."
        ),
    ],
    activation: Annotated[
        str, typer.Option(metavar="NAME", help="Between the layers, which a state dict does not tell.")
    ] = "relu",
    images: Annotated[int, typer.Option(metavar="N", help="Inputs on which kernels are computed.")] = 256,
    blocks: Annotated[int, typer.Option(metavar="K", help="Blocks of the estimated graphons.")] = 64,
    seed: Annotated[int, typer.Option(metavar="S", help="Of what is random: which inputs, and intervals.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as one self-contained HTML file, too.")
    ] = None,
) -> None:
    """What can be said about a pruned network before it is trained, and what cannot.

    Masks are those of torch.nn.utils.prune in the checkpoint, or entries that are exactly zero. Nothing that the file
    contains is run.

    Exit status: 0 if the report was made, 1 if it could not be written, 2 if checkpoint, data or an option cannot be.
    """
    from graphon_lib.diagnosis import diagnose
    from graphon_lib.diagnosis.files import load_checkpoint, load_data

    try:
        network = load_checkpoint(checkpoint, activation=activation)
        sample = load_data(data, seed=seed)
        report = diagnose(
            network.model, sample.inputs, sample.targets, network.masks, images=images, blocks=blocks, seed=seed
        )
    except (OSError, TypeError, ValueError) as error:
        raise _end(str(error), BAD_INPUT) from None
    if html is not None:
        try:
            report.to_html(html)
        except OSError as error:
            raise _end(f"{html} cannot be written ({error.strerror}); pass another path as --html", FAILED) from None
    typer.echo(report.to_json() if as_json else repr(report))


def _end(sentence: str, status: int) -> typer.Exit:
    typer.echo(sentence, err=True)
    return typer.Exit(status)


if __name__ == "__main__":
    app()
