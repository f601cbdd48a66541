"""Claims on the limit of pre-activations and of the kernel, and the tests they are put to: chapter 3."""

from __future__ import annotations

from graphon_lib.claims.rules import Claim, Test

CLAIMS_ON_KERNELS = (
    Claim(
        id="C5",
        title="Pre-activations become Gaussian",
        statement="In the wide limit pre-activations are centred Gaussian processes, and through the graphon their "
        "covariance depends on where the neuron stands.",
        where="Proposition 1",
        notebook="03_graphon_ntk",
        tests=(
            Test(
                "covariance",
                "covariance of pre-activations over the limit's, less 1, in size, largest of all positions",
                0.1,
                "below",
                "One tenth is what a few hundred networks can tell from nothing.",
            ),
            Test(
                "normality",
                "excess kurtosis of pre-activations, in size, largest of all positions",
                0.5,
                "below",
                "Half of the excess of a logistic distribution, which few would call Gaussian, is 0.6.",
            ),
        ),
    ),
    Claim(
        id="C6",
        title="The NTK settles on the Graphon NTK",
        statement="As the width grows, the NTK of a network with a graphon's masks settles on a kernel without "
        "randomness, the Graphon NTK.",
        where="Theorem 1",
        notebook="03_graphon_ntk",
        tests=(
            Test(
                "rate",
                "exponent a of the kernel's error ~ width^-a, slowest of all graphons",
                0.0,
                "above",
                "Whatever falls as a power of the width settles.",
            ),
        ),
    ),
    Claim(
        id="C7",
        title="A flat graphon only rescales the kernel",
        statement="A constant graphon c multiplies the dense NTK by a power of c: all eigenvalues shrink alike, and "
        "modes keep their speeds relative to each other.",
        where="Section 5.3; Appendix B",
        notebook="03_graphon_ntk",
        tests=(
            Test(
                "deviation",
                "Graphon NTK over c^m times the dense NTK, less 1, in size, largest of all pairs of inputs",
                1e-12,
                "below",
                "An identity holds to the precision of the arithmetic.",
            ),
        ),
    ),
    Claim(
        id="B1",
        title="Hidden graphons drop out of ReLU's kernel",
        statement="For a positively homogeneous activation and a first graphon of rank one, the Graphon NTK is the "
        "dense kernel times one number, the path density, whatever the hidden graphons are.",
        where="Theorem “Collapse” of chapter 3",
        notebook="03_graphon_ntk",
        tests=(
            Test(
                "deviation",
                "Graphon NTK over path density times the dense NTK, less 1, in size, largest of all pairs of inputs",
                1e-10,
                "below",
                "An identity holds to the precision of the arithmetic.",
            ),
        ),
        beyond=True,
    ),
)
