"""The parameters of a notebook, checked in its first cell: what is unknown or impossible stops the run with a sentence.

Papermill sets whatever it is told to, so a misspelt ``-p width 100`` would silently run the defaults. A notebook has,
right after its cell tagged ``parameters``::

    from graphon_lib.parameters import Count, Density, Seed, Widths, check

    parameters = check(globals(), widths=Widths, trials=Count, density=Density, seed=Seed)
"""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Mapping
from dataclasses import make_dataclass
from types import ModuleType
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError

# As graphon_lib.pruning.METHODS (tested): a type cannot be made of a value.
MethodName = Literal[
    "random",
    "magnitude",
    "snip",
    "grasp",
    "synflow",
    "phew",
    "force",
    "trained_magnitude",
    "lottery_ticket",
    "random_uniform",
    "random_erk",
]

DataSource = Literal["mnist", "teacher"]


class ParameterError(ValueError):
    """A notebook's parameters are not what it can run with."""

    def _render_traceback_(self) -> list[str]:
        # IPython's hook: the reader of a notebook needs the sentence, not the frames that led to it.
        return [f"{type(self).__name__}: {self}"]


def whole(at_least: int, at_most: int | None = None) -> Any:
    """The type of whole numbers in a range, both ends included: ``check(globals(), blocks=whole(2, 256))``."""
    limits = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
    return Annotated[int, Field(ge=at_least, le=at_most, description=f"a whole number {limits}", examples=[at_least])]


def widths(at_least: int = 1, at_most: int | None = None, *, count: int = 1) -> Any:
    """The type of lists of ``count`` or more layer widths, each in a range and larger than the one before."""
    limits = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
    return Annotated[
        list[whole(at_least, at_most)],  # type: ignore[misc]
        Field(
            min_length=count,
            description=f"a list of {count} or more whole numbers {limits}, each larger than the one before",
            examples=[list(range(at_least, at_least + count))],
        ),
        AfterValidator(_increasing),
    ]


def _increasing(values: list[int]) -> list[int]:
    if any(a >= b for a, b in itertools.pairwise(values)):
        raise ValueError("must increase")
    return values


def _distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) < len(values):
        raise ValueError("must differ")
    return values


def _number(value: Any) -> Any:
    # YAML 1.1 takes 1e-3, which has no point, for text.
    return float(value) if isinstance(value, str) else value


def _several(item: Any, description: str, example: list[Any]) -> Any:
    field = Field(min_length=1, description=f"a list of one or more different {description}", examples=[example])
    return Annotated[list[item], field, AfterValidator(_distinct)]


_Float = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_number)]

Count = Trials = Width = Depth = whole(1)
Seed = whole(0, 2**32 - 1)
Widths = widths()
Density = Annotated[_Float, Field(gt=0, le=1, description="a number above 0 and at most 1", examples=[0.1])]
Densities = _several(Density, "numbers above 0 and at most 1", [0.1, 0.5])
Sparsity = Annotated[_Float, Field(ge=0, lt=1, description="a number of at least 0 and below 1", examples=[0.9])]
Sparsities = _several(Sparsity, "numbers of at least 0 and below 1", [0.5, 0.9])
TrialsByWidth = Annotated[
    dict[int, Count],  # type: ignore[valid-type]
    Field(
        description="a mapping from some of the grid's widths to numbers of trials of at least 1",
        examples=[{"4000": 20}],
    ),
]
Images = _several(whole(10, 5000), "whole numbers from 10 to 5000", [100, 1000])
DataSources = _several(DataSource, f"names out of {', '.join(get_args(DataSource))}", ["mnist", "teacher"])
LearningRate = Annotated[_Float, Field(gt=0, description="a number above 0", examples=[0.001])]
LearningRates = _several(LearningRate, "numbers above 0", [0.001, 0.01])
Methods = _several(MethodName, f"names out of {', '.join(get_args(MethodName))}", ["random", "snip"])


def check(namespace: Mapping[str, Any], **types: Any) -> Any:
    """A notebook's parameters, checked, as one frozen object with an attribute for each.

    Parameters
    ----------
    namespace : dict
        The notebook's ``globals()`` when the parameters, and nothing else of its own, are defined. Modules, callables,
        names that begin with an underscore and what IPython puts there are no parameters.
    **types
        The type of each parameter by its name: those of this module, or others such as ``bool``. Text where the type
        wants none is read as YAML, for papermill hands ``-p widths '[100, 200]'`` on as text.

    Returns
    -------
    frozen dataclass
        ``parameters.widths`` and so on, in the order of ``types``.

    Raises
    ------
    ParameterError
        With one sentence, and one line, for each parameter that is unknown, missing or of a value its type excludes.
    """
    problems = [
        _unknown(name, list(types)) for name in namespace if name not in types and _is_parameter(name, namespace)
    ]
    values = {}
    for name, annotation in types.items():
        if name not in namespace:
            problems.append(f"parameter {name!r} is missing; set it in the cell tagged 'parameters'")
            continue
        try:
            values[name] = _validated(namespace[name], annotation)
        except ValidationError as error:
            problems.append(_impossible(name, namespace[name], annotation, error))
    if problems:
        raise ParameterError("\n".join(problems))
    return make_dataclass("Parameters", values, frozen=True)(**values)


def _is_parameter(name: str, namespace: Mapping[str, Any]) -> bool:
    value = namespace[name]
    hidden = namespace["get_ipython"]().user_ns_hidden if "get_ipython" in namespace else ()
    return not (name.startswith("_") or name in hidden or isinstance(value, ModuleType) or callable(value))


def _validated(value: Any, annotation: Any) -> Any:
    adapter = TypeAdapter(annotation)
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError:
        if not isinstance(value, str):
            raise
        try:
            parsed = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError):  # ValueError: text like a date that no calendar has
            parsed = value
        return adapter.validate_python(parsed, strict=True)


def _unknown(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
    return f"parameter {name!r} is unknown{hint}; this notebook's parameters are {', '.join(known) or 'none'}"


def _impossible(name: str, value: Any, annotation: Any, error: ValidationError) -> str:
    schema = TypeAdapter(annotation).json_schema()
    if "examples" not in schema:
        return f"parameter {name!r} is {value!r}, which cannot be: {error.errors()[0]['msg']}"
    example = json.dumps(schema["examples"][0])
    argument = f"'{example}'" if example.startswith("[") else example
    return (
        f"parameter {name!r} is {value!r}, but must be {schema['description']}; pass for example -p {name} {argument}"
    )
