"""Claims on spectra and training, and the tests they are put to: chapter 4."""

from __future__ import annotations

from graphon_lib.claims.rules import Claim, Test

CLAIMS_ON_TRAINING = (
    Claim(
        id="C8",
        title="The sparser, the slower",
        statement="The sparser a randomly pruned network is, the slower it trains; dense networks are usually the "
        "fastest.",
        where="Appendix D, Fig. 11",
        notebook="04_spectra_and_training",
        tests=(
            Test(
                "slowing",
                "mean early loss of Random over that at the next lower sparsity, the smallest such ratio",
                1.0,
                "above",
                "Each step towards sparser networks has to be one towards slower ones.",
            ),
            Test(
                "dense over pruned",
                "mean early loss of the dense network over that of the fastest pruned ones, of any method and sparsity",
                1.0,
                "below",
                "The dense network is the fastest if its loss is the lower one.",
            ),
        ),
    ),
    Claim(
        id="C9",
        title="SNIP and SynFlow start faster than Random",
        statement="At equal sparsity, networks pruned by SNIP and SynFlow bring the training loss down faster than "
        "randomly pruned ones in the first 200 steps.",
        where="Section 6; Fig. 2",
        notebook="04_spectra_and_training",
        tests=(
            Test(
                "loss at the sparsest",
                "mean early loss over Random's at the highest sparsity, the larger of SNIP's and SynFlow's",
                1.0,
                "below",
                "Faster is a lower loss.",
            ),
            Test(
                "loss at all sparsities",
                "mean early loss over Random's, largest of both methods at all sparsities",
                1.0,
                "below",
                "Faster at equal sparsity is faster at each.",
            ),
            Test(
                "loss from PyTorch's weights",
                "as the first, for networks of PyTorch's default initialisation, which the authors' code uses",
                1.0,
                "below",
                "What is said of pruning has to survive another usual scale of the weights.",
            ),
        ),
    ),
    Claim(
        id="C10",
        title="SNIP and SynFlow concentrate the spectrum",
        statement="Sparsity leaves the spectral metrics of Random as they are, while under SNIP and SynFlow the top "
        "eigenvalues of the Graphon NTK take a growing share of the trace and the effective rank falls.",
        where="Section 6; Fig. 3",
        notebook="04_spectra_and_training",
        tests=(
            Test(
                "energy, sampled",
                "share of the top 5 eigenvalues in the trace less Random's, at the highest sparsity, in networks drawn "
                "from the estimated graphons (the paper's way), the smaller of SNIP's and SynFlow's",
                0.05,
                "above",
                "A twentieth of the trace is what one would see in the paper's figure.",
            ),
            Test(
                "energy, limit",
                "the same for the Graphon NTK itself",
                0.05,
                "above",
                "The claim is about the Graphon NTK.",
            ),
            Test(
                "change of Random",
                "by how much that share changes for Random, in size, between the lowest and the highest sparsity",
                0.05,
                "below",
                "To stay is to change by less than what the others are held to.",
            ),
        ),
    ),
    Claim(
        id="C11",
        title="The spectrum foretells training",
        statement="The spectrum of the Graphon NTK goes along with how training proceeds, so that a mask can be judged "
        "without training it.",
        where="Section 6",
        notebook="04_spectra_and_training",
        tests=(
            Test(
                "spectrum",
                "Spearman's correlation with early loss, in size, at equal sparsity: strongest of six numbers of the "
                "limit: scale, top eigenvalue, decay, effective rank, gap and energy in the top 5",
                0.5,
                "above",
                "To judge a mask, two out of three pairs have to be put in the right order, about which 0.5 is.",
            ),
            Test(
                "every method",
                "the same number with one method left out, whichever weakens it most",
                0.5,
                "above",
                "A rule about masks should not rest on one method.",
            ),
            Test(
                "shape given scale",
                "the strongest of decay, effective rank, gap and energy when the kernel's scale is held fixed",
                0.5,
                "above",
                "The paper's account is by the shape of the spectrum, and scale is not shape.",
            ),
        ),
    ),
    Claim(
        id="B3",
        title="Kept weights enter by their second moment",
        statement="With the mean square of the kept weights in place of the density, the limit foretells the scale of "
        "the kernel of networks pruned by Random, Magnitude and SynFlow.",
        where="Chapters 3 and 4",
        notebook="04_spectra_and_training",
        tests=(
            Test(
                "error where it holds",
                "trace of the pruned network's kernel over the second-moment prediction, less 1, in size, largest "
                "for Random, Magnitude and SynFlow",
                0.25,
                "below",
                "A quarter is what single networks of one width differ by.",
            ),
        ),
        beyond=True,
    ),
    Claim(
        id="B4",
        title="SNIP and GraSP keep weights that fit each other",
        statement="The kernel of a network pruned by SNIP is several times, and by GraSP orders of magnitude, larger "
        "than the sizes of the kept weights explain, and its energy is concentrated only while the mask keeps its own "
        "weights.",
        where="Chapter 4",
        notebook="04_spectra_and_training",
        tests=(
            Test(
                "gap of SNIP",
                "scale of the pruned network's kernel over the second-moment prediction, smallest at any sparsity",
                2.0,
                "above",
                "Several times is at least twice.",
            ),
            Test(
                "gap of GraSP",
                "the same for GraSP",
                100.0,
                "above",
                "Orders of magnitude are at least two.",
            ),
            Test(
                "energy with fresh weights",
                "what SNIP's networks have more energy in the top 5 than the dense limit, with fresh weights over with "
                "their own, at the highest sparsity",
                0.5,
                "below",
                "Only while it keeps its weights: more than half has to go with them.",
            ),
        ),
        beyond=True,
    ),
)
