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
                "covariance of two digits' pre-activations over the recursion's, less 1, in size, largest of all "
                "layers and positions at the largest width",
                0.1,
                "below",
                "One tenth is what a few hundred networks can tell from nothing.",
            ),
            Test(
                "normality",
                "excess kurtosis of pre-activations at the largest width, largest of the positions that keep 100 "
                "weights or more",
                0.5,
                "below",
                "A logistic distribution, which few would call Gaussian, has 1.2: less than half of that is asked for.",
            ),
            Test(
                "approach",
                "exponent a of excess kurtosis ~ width^-a, slowest of all positions above the first layer",
                0.5,
                "above",
                "Averages over n neurons have a variance, and sums of n terms an excess, of order n^-1: half of that "
                "exponent is asked for.",
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
                "exponent a of the kernel's error ~ width^-a in Frobenius norm, slowest of graphons and activations",
                0.25,
                "above",
                "Averages over n independent neurons err by n^-1/2: half of that exponent is asked for.",
            ),
            Test(
                "operator",
                "the same in operator norm",
                0.25,
                "above",
                "As for the Frobenius norm.",
            ),
            Test(
                "centre",
                "squared distance of the mean kernel of networks to the Graphon NTK over that of single networks, at "
                "the largest width, mean of all graphons and activations",
                0.25,
                "below",
                "If networks settled on another kernel, this would go to 1; below a quarter, the mean is less than "
                "half as far from the limit as single networks are.",
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
                "collapse",
                "Graphon NTK over path density times the dense NTK, less 1, in size, largest of all pairs of inputs",
                1e-10,
                "below",
                "An identity holds to the precision of the arithmetic.",
            ),
            Test(
                "rank",
                "the same with a first graphon of higher rank",
                0.01,
                "above",
                "The condition is needed if one per cent or more goes wrong without it.",
            ),
            Test(
                "homogeneity",
                "the same with erf, which is not homogeneous",
                0.01,
                "above",
                "As for the rank.",
            ),
        ),
        beyond=True,
    ),
)
