"""How many small mistakes, made on purpose in graphons, kernels and pruning, the tests notice: ``make mutation``.

mutmut writes the mutants (another sign, another constant, an argument left out) into a copy of the sources, each to be
switched on by its name. Its own runner collects all tests anew for each; ours (``killing``) collects them once, and
forks a process for each mutant, which runs the tests that reach the mutant's function, fast ones first, until one
fails.

Two kinds of functions need more:

- Compiled ones, for mutmut passes over whatever is decorated. They are tried in a copy in which they are plain Python:
  slow, so that tests of large kernels are left out, but the same loops.
- Those that run on import, before a mutant is switched on, or in processes that tests start. Each of their mutants gets
  a process of its own.

A mutant counts as killed if a test fails, or takes far longer than without it. Messages are no exception: their words
tell what is allowed and what to do, and tests match them to the end. What is left is judged in ``survivors.md``.
"""
