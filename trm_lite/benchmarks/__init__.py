"""The paper's benchmarks: each module builds one into a folder."""
