"""The claims of Pham et al. (NeurIPS 2025), C1 to C11, and those of this book, B1 to B4.

The tests they are put to are in :mod:`.of_masks` (chapters 1 and 2), :mod:`.of_kernels` (chapter 3) and
:mod:`.of_training` (chapter 4). Each threshold stands with its reason. They were set on principle, but not blindly:
those of chapters 1 and 2 when earlier runs of these chapters had been seen, those of 3 and 4 after trial runs.
"""

from __future__ import annotations

from graphon_lib.claims.of_kernels import CLAIMS_ON_KERNELS
from graphon_lib.claims.of_masks import CLAIMS_ON_MASKS
from graphon_lib.claims.of_training import CLAIMS_ON_TRAINING
from graphon_lib.claims.rules import Claim

_ALL = (*CLAIMS_ON_MASKS, *CLAIMS_ON_KERNELS, *CLAIMS_ON_TRAINING)

# The paper's first, then the book's.
CLAIMS: dict[str, Claim] = {claim.id: claim for claim in sorted(_ALL, key=lambda c: (c.beyond, int(c.id[1:])))}
