"""Claims on masks and their graphons, and the tests they are put to: chapters 1 and 2."""

from __future__ import annotations

from graphon_lib.claims.rules import Claim, Test

CLAIMS_ON_MASKS = (
    Claim(
        id="C1",
        title="Masks come closer to the widest network's",
        statement="With method and sparsity fixed, the degree-sorted 64 x 64 density histogram of a hidden mask comes "
        "steadily closer, in Euclidean distance, to the one at width 2000 as the width grows.",
        where="Section 4.3; Fig. 1 (right), Fig. 4",
        notebook="01_mask_convergence",
        tests=(
            Test(
                "steps that fall",
                "share of steps to the next width at which the mean distance to the widest networks falls",
                0.9,
                "above",
                "Steadily means at every step; one in ten may be noise.",
            ),
            Test(
                "share of the null",
                "distance that structureless masks of equal density have, over the masks' own, median of settings",
                0.5,
                "below",
                "A curve that is mostly noise and drift of the density says nothing about a limit.",
            ),
            Test(
                "settings at rest",
                "share of settings in which the frequency of 4-cycles has settled over the last doubling of the "
                "width, or is settling",
                0.9,
                "above",
                "A limit for each method and sparsity means that nearly all of them come to rest.",
            ),
        ),
    ),
    Claim(
        id="C2",
        title="Each method has a limit of its own",
        statement="The limit depends on the method: Random, SNIP, GraSP and SynFlow each arrive at a graphon of their "
        "own.",
        where="Section 4.3; Fig. 1",
        notebook="01_mask_convergence",
        tests=(
            Test(
                "separation",
                "cut distance between masks of two methods over that between masks of one, closest pair and setting",
                1.0,
                "above",
                "Masks of one and the same method have a ratio of 1.",
            ),
            Test(
                "patterns",
                "difference of two methods in the frequency of 4-cycles, row pairs or column pairs over that of a "
                "structureless mask, whichever differs most, closest pair and setting",
                0.02,
                "above",
                "Two flat methods, each within one per cent of a structureless mask, differ by less.",
            ),
            Test(
                "p-value",
                "largest p-value of the permutation tests for all pairs, after Holm's correction",
                0.05,
                "below",
                "The usual level, for all pairs together.",
            ),
        ),
    ),
    Claim(
        id="C3",
        title="Random and Magnitude are flat",
        statement="The masks of Random and of Magnitude pruning tend to constant graphons.",
        where="Section 4.3; Appendix C, Fig. 10",
        notebook="01_mask_convergence",
        tests=(
            Test(
                "excess",
                "excess of 4-cycles, row pairs or column pairs over a structureless mask, in size, largest of all "
                "settings from width 1000 on",
                0.01,
                "below",
                "One per cent is as good as nothing.",
            ),
        ),
    ),
    Claim(
        id="C4",
        title="SNIP and GraSP fade, SynFlow is a block",
        statement="The density of SNIP and GraSP masks varies smoothly over the unit square; SynFlow's is a block with "
        "sharp edges, and many of its neurons are gone.",
        where="Section 4.3; Figs. 5-9",
        notebook="02_graphon_estimation",
        tests=(
            Test(
                "slope over block",
                "held-out gain of a block less that of a slope with as many numbers, in thousandths of a nat an "
                "entry, largest of SNIP's and GraSP's masks",
                0.0,
                "below",
                "Smooth is what a slope foretells better than a block.",
            ),
            Test(
                "fading neurons",
                "share of SynFlow's surviving neurons that keep less than half of what the others keep, in %, "
                "largest of all masks",
                12.5,
                "below",
                "A slope that runs down to nothing has 25 % of them, an edge none; half of that is nearer to an edge.",
            ),
            Test(
                "removed neurons",
                "neurons without any weight on the side of a mask with more of them, in % of the layer, smallest of "
                "SynFlow's masks",
                25.0,
                "above",
                "Many is a quarter of a layer or more.",
            ),
            Test(
                "block over slope",
                "held-out gain of a block less that of a slope with as many numbers, in thousandths of a nat an "
                "entry, smallest of SynFlow's masks",
                0.0,
                "above",
                "A block is what a block foretells better than a slope.",
            ),
        ),
    ),
    Claim(
        id="B2",
        title="One label for each neuron keeps the paths",
        statement="Graphons of all layers with one labelling of each hidden layer, by both degrees, keep the share of "
        "input-to-output paths; sorting each mask by itself, as the paper does, does not.",
        where="Section “One labelling for the whole network” of chapter 2",
        notebook="02_graphon_estimation",
        tests=(
            Test(
                "error by both degrees",
                "path density of the estimated chain over the exact one, less 1, in size and %, largest of all "
                "methods, depths and sparsities",
                1.0,
                "below",
                "One per cent of the kernel's scale is less than two networks of one width differ by.",
            ),
            Test(
                "error of separate sorting",
                "the same with each mask sorted by itself",
                10.0,
                "above",
                "Ten times as much is what makes another labelling worth while.",
            ),
        ),
        beyond=True,
    ),
)
