"""The report of a diagnosis: numbers as data, as text, as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphon_lib.diagnosis.book import Peers, Setting
from graphon_lib.diagnosis.number import Number
from graphon_lib.graphons import StepGraphon


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of weights.

    Attributes
    ----------
    name : str
        Of its weight, in the user's model.
    outputs, inputs, positions, kept : int
        Positions are those of a convolution's kernel, 1 for a linear layer; outputs and inputs are then channels.
    density : Number
    outputs_without, inputs_without : int
        How many of its outputs (inputs) have no kept weight.
    graphon : StepGraphon
        Its degree-sorted histogram.
    fits : dict from "random" and "degrees" to dict from motif to Number
        By how many standard deviations the mask's motif density lies off those of random masks of its density, and of
        random masks of its degrees.
    """

    name: str
    outputs: int
    inputs: int
    positions: int
    kept: int
    density: Number
    outputs_without: int
    inputs_without: int
    graphon: StepGraphon
    fits: Mapping[str, Mapping[str, Number]]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "outputs": self.outputs,
            "inputs": self.inputs,
            "positions": self.positions,
            "kept": self.kept,
            "density": self.density.to_dict(),
            "outputs_without_kept_weight": self.outputs_without,
            "inputs_without_kept_weight": self.inputs_without,
            "graphon": [[float(f"{value:.6g}") for value in row] for row in self.graphon.values.tolist()],
            "fits": {
                model: {motif: number.to_dict() for motif, number in numbers.items()}
                for model, numbers in self.fits.items()
            },
        }


@dataclass(frozen=True)
class Neurons:
    """One layer of neurons, the inputs and outputs included.

    Attributes
    ----------
    name : str
    count : int
    none_in, none_out : int or None
        How many have no kept weight to them (from them); None where there are no weights.
    dead : int
        How many have none to them or none from them.
    """

    name: str
    count: int
    none_in: int | None
    none_out: int | None
    dead: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "count": self.count,
            "no_kept_weight_in": self.none_in,
            "no_kept_weight_out": self.none_out,
            "dead": self.dead,
        }


@dataclass(frozen=True)
class Standing:
    """The book's methods at equal sparsity.

    Attributes
    ----------
    setting : Setting
    density : float
        That of the network, or the nearest that the book has.
    peers : tuple of Peers
    note : str
        In what the two are not alike.
    """

    setting: Setting
    density: float
    peers: tuple[Peers, ...]
    note: str

    def to_dict(self) -> dict[str, Any]:
        peers = [
            {
                "method": peer.method,
                "networks": peer.networks,
                "layer_densities": [float(f"{density:.6g}") for density in peer.layer_densities],
                **{
                    name: Number(middle, low, high, "range of the book's networks").to_dict()
                    for name, (low, middle, high) in peer.ranges.items()
                },
            }
            for peer in self.peers
        ]
        return {"setting": self.setting._asdict(), "density": self.density, "note": self.note, "methods": peers}


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What :func:`graphon_lib.diagnose` finds. Shows itself in a notebook, prints as text.

    Attributes
    ----------
    model : str
        The class of the model and the widths of its layers.
    images, available : int
        Inputs on which kernels were computed, out of how many given.
    blocks, seed : int
    activation, weights_of : str or None
        Between the layers; and the initialisation that the weights could be a draw of.
    departures, beside : tuple of str
        What the theory of the limit does not cover; and what it leaves out.
    layers : tuple of Layer
    neurons : tuple of Neurons
        Empty where layers do not fit together.
    totals : dict from name to Number
    kernels : dict from "finite" and "limit" to dict from metric to Number
    standing : Standing
    early_loss : Number
        Over that of Random at equal sparsity.
    obstacles : tuple of str
        Why nothing can be said on it; empty if something can.
    ledger : dict from a claim's id to its ``title``, ``claim``, ``verdict`` and ``evidence``
    """

    model: str
    images: int
    available: int
    blocks: int
    seed: int
    activation: str | None
    weights_of: str | None
    departures: tuple[str, ...]
    beside: tuple[str, ...]
    layers: tuple[Layer, ...]
    neurons: tuple[Neurons, ...]
    totals: Mapping[str, Number]
    kernels: Mapping[str, Mapping[str, Number]]
    standing: Standing
    early_loss: Number
    obstacles: tuple[str, ...]
    ledger: Mapping[str, Mapping[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as strict JSON has it: no NaN, no infinity; a number is ``{"value", "low", "high", "note"}``,
        its value null where it is not known, and its note then the reason."""
        return {
            "model": self.model,
            "images": self.images,
            "available": self.available,
            "blocks": self.blocks,
            "seed": self.seed,
            "activation": self.activation,
            "weights_of": self.weights_of,
            "departures": list(self.departures),
            "beside": list(self.beside),
            "layers": [layer.to_dict() for layer in self.layers],
            "neurons": [neurons.to_dict() for neurons in self.neurons],
            "totals": {name: number.to_dict() for name, number in self.totals.items()},
            "kernels": {
                which: {name: number.to_dict() for name, number in numbers.items()}
                for which, numbers in self.kernels.items()
            },
            "standing": self.standing.to_dict(),
            "early_loss_over_random": self.early_loss.to_dict(),
            "obstacles": list(self.obstacles),
            "ledger": {claim: dict(entry) for claim, entry in self.ledger.items()},
        }

    def to_json(self) -> str:
        """:meth:`to_dict` as strict JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)

    def to_html(self, path: str | Path) -> None:
        """Write one HTML file that needs nothing else: tables, and pictures with a text for each."""
        from graphon_lib.diagnosis.page import page

        Path(path).write_text(page(self), encoding="utf-8")

    def __repr__(self) -> str:
        from graphon_lib.diagnosis.words import text

        return text(self)

    def _repr_html_(self) -> str:
        # Pictures take seconds to import, which not everybody who imports the library should wait for.
        from graphon_lib.diagnosis.page import fragment

        return fragment(self)
