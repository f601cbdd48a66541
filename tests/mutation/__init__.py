"""How many small mistakes, made on purpose in graphons, kernels and pruning, the tests notice: ``make mutation``.

mutmut writes the mutants (another sign, another constant, an argument left out) and runs, for each of them, the tests
that reach its function. Two kinds of functions escape it, and are run here in their own ways:

- Compiled ones, for it passes over whatever is decorated. They are tried in a copy of the repository in which they are
  plain Python: slow, so that tests of large kernels are left out, but the same loops.
- Those that run on import, before mutmut has switched a mutant on, and those that start other processes. Each of their
  mutants gets a process of its own.

A mutant counts as killed if a test fails, or takes far longer than without it. Messages are no exception: their words
tell what is allowed and what to do, and tests match them to the end. What is left is judged in ``survivors.md``.
"""
