"""What the book knows, applied to a network of one's own: :func:`diagnose`, and the files that it may come in.

Read on in this order: ``network`` (what the model is), ``weights`` (whether it is at its start), ``layers`` (what the
masks say), ``kernels`` (what the kernel says), ``book`` and ``standing`` (what the book's networks say), ``report``
(the result), ``words`` and ``page`` (how it is shown), ``files`` (checkpoints and data).
"""

from graphon_lib.diagnosis.diagnose import diagnose as diagnose
from graphon_lib.diagnosis.report import Diagnosis as Diagnosis
