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
                "rank correlation",
                "Spearman's correlation of sparsity and mean early loss of Random",
                0.8,
                "above",
                "Nearly every step towards sparser networks has to be one towards slower ones.",
            ),
            Test(
                "dense over pruned",
                "mean early loss of the dense network over that of the fastest pruned one",
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
                "energy, pruned",
                "share of the top 5 eigenvalues in the trace, less the dense network's, in the networks as pruned at "
                "the highest sparsity, the smaller of SNIP's and SynFlow's",
                0.0,
                "above",
                "More energy at the top than the dense network has.",
            ),
            Test(
                "energy, limit",
                "the same for the Graphon NTK itself",
                0.0,
                "above",
                "The claim is about the Graphon NTK.",
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
                "energy and loss",
                "Spearman's correlation of the top 5 eigenvalues' share in the trace with mean early loss",
                -0.5,
                "below",
                "More energy has to go with a faster start, strongly enough to judge a mask by.",
            ),
        ),
    ),
    Claim(
        id="B3",
        title="Kept weights enter by their second moment",
        statement="With the mean square of the kept weights in place of the density, the limit foretells the scale of "
        "the kernel of networks pruned by Random, Magnitude and SynFlow, and not by SNIP and GraSP.",
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
            Test(
                "excess where it fails",
                "trace of the pruned network's kernel over the second-moment prediction, smaller of SNIP and GraSP",
                2.0,
                "above",
                "A prediction that is off by a factor of two is none.",
            ),
        ),
        beyond=True,
    ),
    Claim(
        id="B4",
        title="Energy is in the weights that a mask chose",
        statement="SNIP's kernel concentrates its energy only while the mask keeps the weights it was chosen for: with "
        "fresh weights under the same mask the alignment of weights and mask is gone, and most of the excess with it.",
        where="Chapter 4",
        notebook="04_spectra_and_training",
        tests=(
            Test(
                "alignment gap",
                "excess energy of the top 5 eigenvalues in SNIP's network with fresh weights, over that with its own",
                0.5,
                "below",
                "Most of it is more than half.",
            ),
        ),
        beyond=True,
    ),
)
