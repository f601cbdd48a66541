"""Benchmarks of the kernels, which `make benchmark` compares with neural-tangents.

Times on a shared machine drift by factors; ratios of neighbours in time do not. So every comparison runs in rounds, our
call and the peer's right after each other, and reports the median of the rounds' ratios. The peer lives in an
environment of its own and in a process that stays warm between its turns. Both are held to the same two processors.
"""
