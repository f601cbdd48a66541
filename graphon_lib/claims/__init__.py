"""The ledger: each claim, the tests it is put to, what was measured, and the verdict that follows.

:mod:`.rules` says how a verdict follows, :mod:`.paper` lists claims, tests and thresholds, :mod:`.ledger` records what
notebooks measure and reads it back.
"""

from graphon_lib.claims.ledger import MIME_TYPE, Evidence, Ledger, ledger, read_ledger, says
from graphon_lib.claims.paper import CLAIMS
from graphon_lib.claims.rules import VERDICTS, Claim, Test, verdict

__all__ = [
    "CLAIMS",
    "MIME_TYPE",
    "VERDICTS",
    "Claim",
    "Evidence",
    "Ledger",
    "Test",
    "ledger",
    "read_ledger",
    "says",
    "verdict",
]
