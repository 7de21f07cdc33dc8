"""The paper's four benchmarks, and stand-ins for two of them: what each takes, how it is built."""
