"""A grid of trials, from YAML or Python, and the configuration of each of its trials, with the key of its row."""

# Several types of fields are made by functions: pydantic reads them, mypy cannot.
# mypy: disable-error-code="valid-type"

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from graphon_lib.parameters import (
    Count,
    DataSources,
    Densities,
    Images,
    Methods,
    Seed,
    TrialsByWidth,
    Widths,
    whole,
    widths,
)

# Part of every key: raise it when a row's numbers get another meaning, and all rows are computed anew.
MEASUREMENT = 1

Measure = Literal["histograms", "motifs", "null_models", "path_density", "chain"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
# What a grid measures unless told otherwise: never more than this, which is in the keys of stored rows.
USUAL: tuple[Measure, ...] = ("histograms", "motifs", "null_models", "path_density")

Name = Annotated[
    str,
    Field(
        pattern="^[a-z0-9][a-z0-9_-]*$",
        description="a name of lower-case letters, digits, '-' and '_'",
        examples=["masks"],
    ),
]
Initialisations = Annotated[
    list[Literal["he", "pytorch"]],
    Field(min_length=1, description="a list of one or more out of he, pytorch", examples=[["pytorch"]]),
]
Measures = Annotated[
    list[Measure], Field(description=f"a list of names out of {', '.join(MEASURES)}", examples=[["motifs"]])
]


class GridError(ValueError):
    """What describes a grid is not one: a sentence, and a line, for each field that is unknown, missing or wrong."""


@dataclass(frozen=True)
class Trial:
    """One seed of one configuration: all that decides a row of results, and nothing else.

    Attributes
    ----------
    seed, trial : int
        The grid's seed and the trial's number; with the width they make the trial's own seed, see
        :func:`graphon_lib.sweeps.trial_seed`.
    measure : tuple of str
        Out of :data:`MEASURES`, sorted.
    images : int
        Of the pruning batch. Methods that train see 5,000, whatever it is.
    data : str
        Where inputs come from: ``"mnist"``, or ``"teacher"``: :func:`graphon_lib.data.gaussian_teacher`, with as many
        coordinates as the network is wide.
    """

    method: str
    initialisation: str
    depth: int
    width: int
    density: float
    trial: int
    seed: int
    blocks: int
    rounds: int
    measure: tuple[str, ...]
    # Fields that came later, each at the value that all rows before it had: see LATER.
    images: int = 100
    data: str = "mnist"

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Trial:
        """The trial that a stored row is of."""
        kinds = {"density": float, "method": str, "initialisation": str, "measure": tuple, "data": str}
        return cls(**{field.name: kinds.get(field.name, int)(row[field.name]) for field in fields(cls)})

    @property
    def key(self) -> str:
        """The name of its row: 32 hexadecimal digits of the SHA-256 of its configuration.

        A field that came later is left out at its default, so that rows stored before keep their names.
        """
        told = {name: value for name, value in vars(self).items() if name not in LATER or value != LATER[name]}
        configuration = told | {"density": repr(self.density), "measurement": MEASUREMENT}
        return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:32]


LATER = {field.name: field.default for field in fields(Trial) if field.default is not MISSING}


class Grid(BaseModel):
    """Every method on every width, depth, density, initialisation, number of images and data, ``trials`` times.

    Attributes
    ----------
    name : str
        What the sweep is called; its results go to ``notebooks/results/<name>`` unless told otherwise.
    depths : list of int
        Hidden layers, at least 2 in each network: only masks between hidden layers are measured.
    trials_by_width : dict from width to int
        Where the number of trials is another than ``trials``.
    initialisations : list of {"pytorch", "he"}
        The paper's code keeps PyTorch's.
    images : list of int
        Sizes of the pruning batch, from 10 to 5,000; methods that train, or look at no data, are the same at each.
    data : list of {"mnist", "teacher"}
        ``"teacher"``: Gaussian inputs, as many coordinates as the width, so that all layers widen together.
    blocks : int
        Blocks on each side of the sorted histograms.
    rounds : int
        Rounds of the iterative methods.
    measure : list of str
        What is measured beside densities and degrees: ``"motifs"``, ``"null_models"``, ``"path_density"``,
        ``"chain"`` (what pairs of neighbouring layers have in common), and ``"histograms"``: whether they are kept.
        All but the chain unless told otherwise.

    Raises
    ------
    GridError
        With one sentence for each field that is unknown, missing, or of a value that cannot be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Name
    methods: Methods
    widths: Widths
    depths: widths(2)
    densities: Densities
    trials: Count
    trials_by_width: TrialsByWidth = {}
    seed: Seed = 0
    initialisations: Initialisations = ["pytorch"]
    images: Images = [Trial.images]
    data: DataSources = [Trial.data]
    blocks: whole(2, 256) = 64
    rounds: Count = 100
    measure: Measures = list(USUAL)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise GridError("\n".join(_sentence(problem, values) for problem in _one_a_field(error))) from None

    @model_validator(mode="after")
    def _widths_are_there(self) -> Grid:
        unknown = [width for width in self.trials_by_width if width not in self.widths]
        if unknown:
            raise ValueError(f"trials_by_width names width {unknown[0]}, but widths are {self.widths}; add it there")
        return self

    @classmethod
    def from_yaml(cls, path: str | Path) -> Grid:
        """The grid that a YAML file describes.

        Raises
        ------
        GridError
            As :class:`Grid`, every line naming the file; also if it cannot be read or is no mapping.
        """
        try:
            values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise GridError(f"{path} cannot be read ({error.strerror}); pass the path of a YAML file") from None
        except (yaml.YAMLError, ValueError) as error:
            raise GridError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
        if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
            raise GridError(f"{path} holds no mapping from field to value; write lines such as methods: [random, snip]")
        try:
            return cls(**values)
        except GridError as error:
            raise GridError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from None

    def trials_of(self) -> Iterator[Trial]:
        """Every trial of the grid, narrow networks first; densities, which share a network, side by side."""
        for width in self.widths:
            trials = range(self.trials_by_width.get(width, self.trials))
            initialisations = dict.fromkeys(self.initialisations)
            for trial, initialisation, images, data, depth, method, density in itertools.product(
                trials, initialisations, self.images, self.data, self.depths, self.methods, self.densities
            ):
                yield Trial(
                    method=method,
                    initialisation=initialisation,
                    depth=depth,
                    width=width,
                    density=density,
                    trial=trial,
                    seed=self.seed,
                    blocks=self.blocks,
                    rounds=self.rounds,
                    measure=tuple(sorted(set(self.measure))),
                    images=images,
                    data=data,
                )


def _one_a_field(error: ValidationError) -> list[Any]:
    return list({problem["loc"][:1]: problem for problem in reversed(error.errors())}.values())[::-1]


def _sentence(problem: Any, values: Mapping[str, Any]) -> str:
    if not problem["loc"]:
        return str(problem["ctx"]["error"])
    name = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(name, Grid.model_fields, n=1)
        hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
        return f"field {name!r} is unknown{hint}; a grid's fields are {', '.join(Grid.model_fields)}"
    schema = Grid.model_json_schema()["properties"][name]
    example = json.dumps(schema["examples"][0]).replace('"', "")
    found = f"is {values[name]!r}, but must be" if name in values else "is missing; it must be"
    return f"field {name!r} {found} {schema['description']}; write for example {name}: {example}"
